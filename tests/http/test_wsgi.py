import asyncio
import io
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from wsgiref.validate import validator

import pytest

from eyewall.http.applications import running
from eyewall.http.headers import HTTPHeaders
from eyewall.http.request import HTTPServerRequest
from eyewall.http.startline import RequestStartLine
from eyewall.http.wsgi import WSGIContainer, to_wsgi_str
from eyewall.net.errors import StreamClosedError


class Connection:
    """Notes what is written; `leave_after` writes the client is gone."""

    def __init__(self, leave_after=1000):
        self.log = []
        self.left = leave_after
        self.carrier = self

    def write_headers(self, start_line, headers, chunk=None):
        self.start_line, self.headers = start_line, headers
        return self._note(chunk)

    def write(self, chunk):
        return self._note(chunk)

    def _note(self, chunk):
        self.log.append(bytes(chunk))
        self.left -= 1
        future = asyncio.get_running_loop().create_future()
        if self.left < 0:
            future.set_exception(StreamClosedError())
        else:
            future.set_result(None)
        return future

    def finish(self):
        self.log.append("finish")

    def break_off(self):
        self.log.append("break off")


def serve(application, method="GET", target="/", fields=(), body=b"", executor=None, connection=None):
    connection = connection or Connection()
    request = HTTPServerRequest(
        start_line=RequestStartLine(method, target, "HTTP/1.1"),
        headers=HTTPHeaders({"Host": "example.com:81", **dict(fields)}),
        body=body,
        connection=connection,
    )

    async def main():
        container = WSGIContainer(application, executor=executor)
        container(request)
        await asyncio.gather(*running())
        await asyncio.sleep(0)
        assert not running()

    asyncio.run(main())
    return connection


@pytest.fixture(params=[False, True], ids=["inline", "executor"])
def executor(request):
    if not request.param:
        yield None
        return
    with ThreadPoolExecutor(2) as pool:
        yield pool


def plain(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Hello ", b"world!"]


def test_a_list_is_one_response(executor, caplog):
    caplog.set_level(logging.INFO)
    connection = serve(plain, executor=executor)
    assert connection.start_line == ("HTTP/1.1", 200, "OK")
    assert connection.headers["Content-Length"] == "12"
    assert connection.headers["Content-Type"] == "text/plain"
    assert connection.headers["Server"] == "Eyewall"
    assert connection.log == [b"Hello world!", "finish"]
    (record,) = [record for record in caplog.records if record.name == "tornado.access"]
    assert record.getMessage().startswith("200 GET / (None) ")


def test_the_reference_validator_agrees(executor):
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["wsgi.input"].read(3)]

    connection = serve(
        validator(application), "POST", fields={"Content-Length": "3"}, body=b"abc", executor=executor
    )
    assert connection.log == [b"abc", "finish"]


def test_a_generator_is_a_stream(executor):
    closed = []

    def application(environ, start_response):
        try:
            start_response("201 Created", [("Content-Type", "text/plain")])
            yield b""
            yield b"one"
            yield b"two"
        finally:
            closed.append(threading.get_ident())

    connection = serve(application, executor=executor)
    assert connection.start_line.code == 201
    assert "Content-Length" not in connection.headers
    assert connection.log == [b"one", b"two", "finish"]
    assert len(closed) == 1
    assert (closed[0] == threading.get_ident()) is (executor is None)


def test_write():
    def application(environ, start_response):
        write = start_response("200 OK", [])
        write(b"written ")
        write(b"before ")
        return [b"returned"]

    connection = serve(application)
    assert connection.log == [b"written before returned", "finish"]
    assert connection.headers["Content-Type"] == "text/html; charset=UTF-8"

    def only(environ, start_response):
        start_response("200 OK", [])(b"x")
        return iter(())

    assert serve(only).log == [b"x", "finish"]


def test_without_a_body():
    def application(environ, start_response):
        start_response("304 Not Modified", [])
        return []

    connection = serve(application)
    assert connection.log == [b"", "finish"]
    assert list(connection.headers) == ["Date", "Server"]


def test_environ():
    seen = {}

    def application(environ, start_response):
        seen.update(environ)
        return plain(environ, start_response)

    fields = {
        "X-Real-Ip": "1.2.3.4", "X_Real_Ip": "spoof", "Proxy": "evil", "Content-Type": "a/b",
        "Content-Length": "3", "Cookie": "a=b",
    }  # fmt: skip
    serve(application, "POST", "/x%C3%A9%2fy+z?a=b%20c", fields, b"abc")
    assert seen["wsgi.input"].read() == b"abc"
    assert isinstance(seen["wsgi.input"], io.BytesIO)
    texts = {name: value for name, value in seen.items() if not name.startswith("wsgi.")}
    assert texts == {
        "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": "/x\xc3\xa9/y+z", "QUERY_STRING": "a=b%20c",
        "REMOTE_ADDR": "", "SERVER_NAME": "example.com", "SERVER_PORT": "81", "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": "a/b", "CONTENT_LENGTH": "3", "HTTP_HOST": "example.com:81", "HTTP_COOKIE": "a=b",
        "HTTP_X_REAL_IP": "1.2.3.4",
    }  # fmt: skip


def bad_status(environ, start_response):
    start_response("200", [])
    return [b"x"]


def bad_header(environ, start_response):
    start_response("200 OK", [("X", "a\r\nInjected: b")])
    return [b"x"]


def hop_by_hop(environ, start_response):
    start_response("200 OK", [("Transfer-Encoding", "chunked")])
    return [b"x"]


def no_start(environ, start_response):
    return [b"x"]


def twice(environ, start_response):
    start_response("200 OK", [])
    start_response("200 OK", [])
    return [b"x"]


def boom(environ, start_response):
    raise ValueError("boom")


def late_boom(environ, start_response):
    start_response("200 OK", [])
    raise ValueError("boom")
    yield b"x"


@pytest.mark.parametrize("broken", [bad_status, bad_header, hop_by_hop, no_start, twice, boom, late_boom])
def test_broken_applications_are_answered_with_500(broken, executor, caplog):
    connection = serve(broken, executor=executor)
    assert connection.start_line.code == 500
    assert connection.log == [b"500: Internal Server Error", "finish"]
    (record,) = [record for record in caplog.records if record.name == "tornado.application"]
    assert record.exc_info
    assert "boom" not in connection.log[0].decode()


def test_an_error_in_the_middle_breaks_the_connection_off(caplog):
    closed = []

    class Pieces:
        def __iter__(self):
            yield b"x"
            raise ValueError("boom")

        def close(self):
            closed.append(True)

    def application(environ, start_response):
        start_response("200 OK", [])
        return Pieces()

    connection = serve(application)
    assert connection.log == [b"x", "break off"]
    assert closed == [True]
    assert any(record.name == "tornado.application" for record in caplog.records)


def test_the_application_has_closed_before_the_response_ends(executor):
    connection = Connection()

    class Pieces:
        def __iter__(self):
            yield b"x"

        def close(self):
            connection.log.append("closed")

    def application(environ, start_response):
        start_response("200 OK", [])
        return Pieces()

    serve(application, executor=executor, connection=connection)
    assert connection.log == [b"x", "closed", "finish"]


def test_an_error_in_close_breaks_the_connection_off(caplog):
    class Pieces:
        def __iter__(self):
            yield b"x"

        def close(self):
            raise ValueError("boom")

    def application(environ, start_response):
        start_response("200 OK", [])
        return Pieces()

    assert serve(application).log == [b"x", "break off"]
    assert any(record.name == "tornado.application" for record in caplog.records)


def test_an_error_page_may_replace_what_was_started():
    def application(environ, start_response):
        start_response("200 OK", [("X-Old", "x")])
        try:
            raise ValueError("boom")
        except ValueError as error:
            start_response("503 Busy", [], (ValueError, error, error.__traceback__))
        return [b"sorry"]

    connection = serve(application)
    assert connection.start_line == ("HTTP/1.1", 503, "Busy")
    assert "X-Old" not in connection.headers


def test_a_client_that_leaves_ends_the_application(caplog):
    closed = []

    def application(environ, start_response):
        try:
            start_response("200 OK", [])
            while True:
                yield b"x"
        finally:
            closed.append(True)

    connection = serve(application, connection=Connection(leave_after=3))
    assert connection.log == [b"x"] * 4
    assert closed == [True]
    assert not [record for record in caplog.records if record.name == "tornado.application"]


def test_requests_run_side_by_side_in_an_executor():
    barrier = threading.Barrier(2, timeout=10)

    def application(environ, start_response):
        start_response("200 OK", [])
        return [b"%d" % barrier.wait()]

    async def main(pool):
        container = WSGIContainer(application, pool)
        connections = [Connection(), Connection()]
        requests = [
            HTTPServerRequest(start_line=RequestStartLine("GET", "/", "HTTP/1.0"), connection=connection)
            for connection in connections
        ]
        await asyncio.gather(*[container.handle_request(request) for request in requests])
        return sorted(connection.log[0] for connection in connections)

    with ThreadPoolExecutor(2) as pool:
        assert asyncio.run(main(pool)) == [b"0", b"1"]


def test_to_wsgi_str():
    assert to_wsgi_str(b"\xc3\xa9") == "\xc3\xa9"
