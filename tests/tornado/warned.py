"""A program that does what Tornado warns of, and what it does not, and prints what it was told: a line of JSON each.

It is run under real Tornado and under the alias, and has to print the same.
"""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import ssl
import sys
import unittest
import warnings
from collections.abc import Callable
from typing import Any

import tornado.auth
import tornado.escape
import tornado.gen
import tornado.httpclient
import tornado.httpserver
import tornado.httputil
import tornado.ioloop
import tornado.iostream
import tornado.locale
import tornado.log
import tornado.netutil
import tornado.options
import tornado.platform.asyncio
import tornado.process
import tornado.queues
import tornado.tcpclient
import tornado.tcpserver
import tornado.testing
import tornado.util
import tornado.web
import tornado.websocket
import tornado.wsgi
from tornado.ioloop import IOLoop
from tornado.web import Application, RequestHandler

CASES: dict[str, Callable[[], Any]] = {}


def case(function: Callable[[], Any]) -> Callable[[], Any]:
    CASES[function.__name__] = function
    return function


def on_loop(function: Callable[[], Any]) -> Callable[[], Any]:
    """A case that runs on a loop, of `asyncio.run`."""

    def run() -> None:
        asyncio.run(function())

    CASES[function.__name__] = run
    return function


class Handler(RequestHandler):
    """Does what its `work` does, and tells what it raised."""

    work: Callable[[RequestHandler], Any]

    async def get(self) -> None:
        try:
            result = type(self).work(self)
            if result is not None:
                await result
        except Exception as error:  # what is compared is what is warned of
            if isinstance(error, Warning):
                raise
        self.finish("ok")


def handled(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A case that runs in a handler."""

    async def run() -> None:
        kind = type("Made", (Handler, tornado.auth.OAuth2Mixin), {"work": staticmethod(function)})
        server = Application([("/", kind)], cookie_secret="x" * 32, twitter_consumer_key="k").listen(
            0, "127.0.0.1"
        )
        port = next(iter(server._sockets.values())).getsockname()[1]
        client = tornado.httpclient.AsyncHTTPClient()
        await client.fetch(f"http://127.0.0.1:{port}/", follow_redirects=False, raise_error=False)
        client.close()
        server.stop()
        await server.close_all_connections()
        await asyncio.sleep(0.01)

    CASES[function.__name__] = lambda: asyncio.run(run())
    return function


# -- loops ----------------------------------------------------------------------------------------------


@case
def a_loop_of_ones_own() -> None:
    IOLoop().close(all_fds=True)


@case
def a_loop_that_is_not_current() -> None:
    IOLoop(make_current=False).close(all_fds=True)


@case
def the_current_loop_made() -> None:
    IOLoop.current().close(all_fds=True)


@case
def make_current() -> None:
    loop = IOLoop(make_current=False)
    loop.make_current()
    loop.close(all_fds=True)


@case
def clear_current() -> None:
    loop = IOLoop()
    IOLoop.clear_current()
    loop.close(all_fds=True)


@case
def install_and_instance() -> None:
    IOLoop.instance()
    IOLoop.current().install()
    IOLoop.clear_instance()


@case
def a_main_loop() -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    tornado.platform.asyncio.AsyncIOMainLoop(make_current=False)
    loop.close()
    asyncio.set_event_loop(None)


@case
def an_asyncio_loop() -> None:
    tornado.platform.asyncio.AsyncIOLoop().close(all_fds=True)


@case
def a_policy_for_any_thread() -> None:
    tornado.platform.asyncio.AnyThreadEventLoopPolicy()


@case
def a_loop_from_a_policy_for_any_thread() -> None:
    import threading

    asyncio.set_event_loop_policy(tornado.platform.asyncio.AnyThreadEventLoopPolicy())

    def work() -> None:
        asyncio.get_event_loop_policy().get_event_loop().close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    asyncio.set_event_loop_policy(None)


@on_loop
async def a_callback_from_a_signal() -> None:
    IOLoop.current().add_callback_from_signal(lambda: None)
    await asyncio.sleep(0)


@on_loop
async def a_signal() -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, lambda: None)
    asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR1)


@on_loop
async def futures_of_both_kinds() -> None:
    future: Any = asyncio.get_running_loop().create_future()
    future.set_result(1)
    tornado.platform.asyncio.to_tornado_future(future)
    tornado.platform.asyncio.to_asyncio_future(future)


@on_loop
async def an_executor_for_blocking_calls() -> None:
    IOLoop.current().set_default_executor(__import__("concurrent.futures").futures.ThreadPoolExecutor(1))
    await IOLoop.current().run_in_executor(None, int)


@on_loop
async def coroutines_of_generators() -> None:
    @tornado.gen.coroutine
    def old() -> Any:
        yield tornado.gen.moment
        yield tornado.gen.sleep(0)
        yield [tornado.gen.sleep(0)]
        raise tornado.gen.Return(1)

    await old()
    await tornado.gen.with_timeout(IOLoop.current().time() + 5, tornado.gen.sleep(0))


@case
def run_sync() -> None:
    loop = IOLoop(make_current=False)
    loop.run_sync(lambda: tornado.gen.sleep(0))
    loop.close(all_fds=True)


# -- the network ----------------------------------------------------------------------------------------


@on_loop
async def resolvers() -> None:
    for name in ("BlockingResolver", "ThreadedResolver", "ExecutorResolver", "DefaultLoopResolver"):
        kind = getattr(tornado.netutil, name, None)
        if kind is not None:
            await kind().resolve("127.0.0.1", 80)
    tornado.netutil.OverrideResolver(resolver=tornado.netutil.Resolver(), mapping={}).close()


@on_loop
async def a_cares_resolver() -> None:
    from tornado.platform.caresresolver import CaresResolver

    CaresResolver().close()


@on_loop
async def a_server_that_binds_and_starts() -> None:
    server = tornado.tcpserver.TCPServer()
    server.bind(0, "127.0.0.1")
    server.start()
    server.stop()


@on_loop
async def a_server_with_sockets() -> None:
    server = tornado.httpserver.HTTPServer(Application())
    server.add_sockets(tornado.netutil.bind_sockets(0, "127.0.0.1"))
    server.stop()


@case
def options_of_tls() -> None:
    tornado.netutil.ssl_options_to_context({"cert_reqs": ssl.CERT_NONE}, server_side=False)
    tornado.netutil.ssl_options_to_context({}, server_side=True)


@case
def options_of_tls_with_a_version() -> None:
    tornado.netutil.ssl_options_to_context(
        {"ssl_version": ssl.PROTOCOL_TLS_CLIENT, "cert_reqs": ssl.CERT_REQUIRED}
    )


@on_loop
async def a_stream_that_is_closed() -> None:
    server = tornado.tcpserver.TCPServer()
    (sock,) = tornado.netutil.bind_sockets(0, "127.0.0.1")
    server.add_socket(sock)
    stream = await tornado.tcpclient.TCPClient().connect(*sock.getsockname())
    stream.close()
    server.stop()
    await asyncio.sleep(0.01)


# -- HTTP -----------------------------------------------------------------------------------------------


@case
def a_request_without_a_start_line() -> None:
    tornado.httputil.HTTPServerRequest(method="GET", uri="/")


@case
def a_request_with_a_start_line() -> None:
    line = tornado.httputil.RequestStartLine("GET", "/", "HTTP/1.1")
    tornado.httputil.HTTPServerRequest(start_line=line, headers=tornado.httputil.HTTPHeaders({"Host": "h"}))


@case
def a_request_without_a_host() -> None:
    line = tornado.httputil.RequestStartLine("GET", "/", "HTTP/1.1")
    tornado.httputil.HTTPServerRequest(start_line=line)


@case
def a_request_with_a_host() -> None:
    line = tornado.httputil.RequestStartLine("GET", "/", "HTTP/1.1")
    tornado.httputil.HTTPServerRequest(start_line=line, host="h")


@case
def a_request_that_says_it_twice() -> None:
    line = tornado.httputil.RequestStartLine("GET", "/", "HTTP/1.0")
    tornado.httputil.HTTPServerRequest(start_line=line, method="POST")
    tornado.httputil.HTTPServerRequest()


@case
def options_of_requests() -> None:
    tornado.httpclient.HTTPRequest("http://h/", use_gzip=True)
    tornado.httpclient.HTTPRequest("http://h/", network_interface="127.0.0.1", allow_ipv6=False)
    tornado.httpclient.HTTPError(500)


@case
def forms_by_hand() -> None:
    arguments: Any = {}
    tornado.httputil.parse_body_arguments("application/x-www-form-urlencoded", b"a=b", arguments, {})
    tornado.httputil.parse_multipart_form_data(b"x", b"--x--", arguments, {})
    tornado.escape.parse_qs_bytes(b"a=b")
    tornado.httputil.HTTPHeaders.parse("A: b\r\n")


@case
def settings_of_old() -> None:
    Application([], gzip=True, debug=False, compress_response=True)


@handled
def cookies_in_capitals(handler: Any) -> None:
    handler.set_cookie("a", "b", Path="/", HttpOnly=True)


@handled
def cookies(handler: Any) -> None:
    handler.set_cookie("a", "b", path="/", httponly=True, samesite="Lax", max_age=3)
    handler.set_secure_cookie("c", "d")
    handler.get_secure_cookie("c")
    handler.set_signed_cookie("c", "d")
    handler.clear_cookie("a", path="/")
    handler.clear_all_cookies()


@handled
def many_things(handler: Any) -> None:
    handler.get_argument("a", None)
    handler.decode_argument(b"a")
    handler.set_status(299)
    handler.set_etag_header()
    handler.xsrf_form_html()
    handler.request.full_url()
    handler.request.request_time()
    handler.locale.translate("a")
    handler.flush()


@handled
def a_secret_in_a_redirect(handler: Any) -> None:
    handler._OAUTH_AUTHORIZE_URL = "http://h/"
    handler.authorize_redirect(redirect_uri="http://h/", client_id="a", client_secret="b")


@handled
def a_redirect_to_log_in(handler: Any) -> None:
    handler._OAUTH_AUTHORIZE_URL = "http://h/"
    handler.authorize_redirect(redirect_uri="http://h/", client_id="a", scope=["x"])


@handled
def open_id(handler: Any) -> None:
    mixed = type("Mixed", (type(handler), tornado.auth.OpenIdMixin), {"_OPENID_ENDPOINT": "http://h/"})
    mixed.authenticate_redirect(handler, "/x")


@case
def twitter() -> None:
    type("Mixed", (RequestHandler, tornado.auth.TwitterMixin), {})


@on_loop
async def a_clients_end() -> None:
    client = tornado.httpclient.AsyncHTTPClient(force_instance=True)
    del client
    tornado.httpclient.AsyncHTTPClient()


@case
def a_blocking_client_that_is_forgotten() -> None:
    tornado.httpclient.HTTPClient()


class Echo(tornado.websocket.WebSocketHandler):
    def on_message(self, message: Any) -> None:
        self.write_message(message)


async def socketed(work: Callable[[str], Any]) -> None:
    server = Application([("/", Echo)]).listen(0, "127.0.0.1")
    port = next(iter(server._sockets.values())).getsockname()[1]
    await work(f"ws://127.0.0.1:{port}/")
    server.stop()
    await server.close_all_connections()
    await asyncio.sleep(0.01)


@on_loop
async def a_websocket_with_a_callback() -> None:
    async def work(url: str) -> None:
        done: Any = asyncio.get_running_loop().create_future()
        tornado.websocket.websocket_connect(url, callback=done.set_result)
        (await done).result().close()

    await socketed(work)


@on_loop
async def a_websocket_that_is_closed() -> None:
    async def work(url: str) -> None:
        socket = await tornado.websocket.websocket_connect(url)
        await socket.write_message("a")
        await socket.read_message()
        socket.close()
        await socket.read_message()

    await socketed(work)


@on_loop
async def a_websocket_that_is_forgotten() -> None:
    async def work(url: str) -> None:
        socket = await tornado.websocket.websocket_connect(url)
        socket.__del__()
        socket.close()

    await socketed(work)


@case
def wsgi() -> None:
    tornado.wsgi.WSGIContainer(lambda environ, start: [])


# -- the rest -------------------------------------------------------------------------------------------


def tested(kind: type[Any], **names: Any) -> None:
    case_of = type(
        "Case", (kind,), {"test_it": lambda self: None, "get_app": lambda self: Application(), **names}
    )
    result = unittest.TestResult()
    case_of("test_it").run(result)
    for _, trace in [*result.errors, *result.failures]:
        warnings.warn(trace, stacklevel=2)


@case
def a_test() -> None:
    tested(tornado.testing.AsyncTestCase)


@case
def a_test_with_a_server() -> None:
    tested(tornado.testing.AsyncHTTPTestCase)


@case
def a_test_with_its_own_loop() -> None:
    tested(tornado.testing.AsyncTestCase, get_new_ioloop=lambda self: IOLoop(make_current=False))


@case
def a_test_with_a_generator() -> None:
    @tornado.testing.gen_test
    def test(self: Any) -> Any:
        yield tornado.gen.sleep(0)

    tested(tornado.testing.AsyncTestCase, test_it=test)


@case
def a_test_that_logs_at_a_low_level() -> None:
    def test(self: Any) -> None:
        with tornado.testing.ExpectLog("tornado.general", "hello"):
            tornado.log.gen_log.info("hello")

    tested(tornado.testing.AsyncTestCase, test_it=test)


@case
def a_test_that_says_the_level() -> None:
    def test(self: Any) -> None:
        with tornado.testing.ExpectLog("tornado.general", "hello", level=20):
            tornado.log.gen_log.info("hello")

    tested(tornado.testing.AsyncTestCase, test_it=test)


@case
def decompressing_by_hand() -> None:
    tornado.util.GzipDecompressor()


@case
def small_things() -> None:
    tornado.util.import_object("tornado.web")
    tornado.util.ObjectDict(a=1)
    tornado.util.errno_from_exception(OSError(1))
    tornado.escape.url_unescape("a")
    tornado.escape.json_encode({})
    tornado.escape.linkify("http://a.b")
    tornado.locale.get("en_US")
    tornado.log.LogFormatter()
    tornado.process.cpu_count()
    tornado.options.OptionParser().define("a", default=1)
    tornado.queues.Queue()


def main() -> None:
    chosen = sys.argv[1:] or list(CASES)
    for name in chosen:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                CASES[name]()
                raised = None
            except Exception as error:
                raised = type(error).__name__
            gc.collect()
        # Who is blamed: a warning about a program is only seen where it names the program.
        told = sorted((each.category.__name__, each.filename == __file__) for each in caught)
        print(json.dumps({"case": name, "raised": raised, "told": told}), flush=True)


if __name__ == "__main__":
    main()
