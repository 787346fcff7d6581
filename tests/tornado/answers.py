"""A program that serves an application, asks it many things over raw sockets, and prints the answers as JSON.

It is run under real Tornado and under the alias. What differs, and why, stands in `test_answers.py`.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tornado import httpserver, netutil, routing, web, wsgi


class Base(web.RequestHandler):
    def get_current_user(self) -> Any:
        return self.get_signed_cookie("user")


class Arguments(Base):
    def get(self, *args: Any, **kwargs: Any) -> None:
        arguments = {
            name: [each.decode("latin-1") for each in values]
            for name, values in self.request.arguments.items()
        }
        self.write({"args": args, "kwargs": kwargs, "arguments": arguments})

    def post(self) -> None:
        self.write(f"{self.get_argument('x', 'none')}|{self.get_arguments('y', strip=False)}")

    def head(self) -> None:
        self.set_header("X-A", "b")

    def put(self) -> None:
        self.write(self.request.body)


def fail(handler: Any) -> None:
    raise ZeroDivisionError


def finish(handler: Any) -> None:
    raise web.Finish("bye")


def refuse(handler: Any) -> None:
    raise web.HTTPError(403, reason="No Way")


def write_with_204(handler: Any) -> None:
    handler.set_status(204)
    handler.write("x")


def finish_twice(handler: Any) -> None:
    handler.finish("a")
    handler.finish("b")


def write_after(handler: Any) -> None:
    handler.finish("a")
    handler.write("b")


def set_cookies(handler: Any) -> None:
    handler.set_cookie("a", "b c;", expires_days=None, httponly=True, secure=True, samesite="Strict")
    handler.set_cookie("u", "z", domain="x.y", path="/p", max_age=5)
    handler.clear_cookie("gone", path="/q")
    handler.write(handler.get_cookie("in", "-"))


def set_headers(handler: Any) -> None:
    handler.set_header("Server", "mine")
    handler.add_header("X-D", "1")
    handler.add_header("X-D", "2")
    handler.write("x")
    handler.set_header("X-N", 3)
    handler.set_header("X-T", datetime.datetime(2020, 1, 1))
    handler.clear_header("Server")


#: What handlers do, by the paths that lead there.
DEEDS: dict[str, Callable[[Any], Any]] = {
    "fail": fail,
    "finish": finish,
    "refuse": refuse,
    "missing": lambda handler: handler.get_argument("missing"),
    "write-with-204": write_with_204,
    "empty-204": lambda handler: handler.set_status(204),
    "empty-304": lambda handler: handler.set_status(304),
    "write-list": lambda handler: handler.write(["a"]),
    "write-number": lambda handler: handler.write(1),
    "bad-header": lambda handler: handler.set_header("X", "a\r\nb"),
    "finish-twice": finish_twice,
    "write-after": write_after,
    "error-404": lambda handler: handler.send_error(404),
    "error-599": lambda handler: handler.send_error(599),
    "error-999": lambda handler: handler.send_error(999),
    "cookies": set_cookies,
    "headers": set_headers,
    "redirect": lambda handler: handler.redirect("/x?y=z"),
    "redirect-elsewhere": lambda handler: handler.redirect("//evil", permanent=True),
    "redirect-303": lambda handler: handler.redirect("/x", status=303),
    "long": lambda handler: handler.write("etagged" * 1000),
    "language": lambda handler: handler.write(handler.locale.code),
}


class Deed(Base):
    def get(self, name: str) -> None:
        DEEDS[name](self)

    head = get


class Guarded(Base):
    @web.authenticated
    def get(self) -> None:
        self.write("in")

    post = head = get


class Pieces(Base):
    async def get(self) -> None:
        self.write("a")
        await self.flush()
        await asyncio.sleep(0)
        self.write("b")


class Slash(Base):
    @web.addslash
    def get(self) -> None:
        self.write("s")


class NoSlash(Base):
    @web.removeslash
    def get(self) -> None:
        self.write("s")


@web.stream_request_body
class Streamed(Base):
    def prepare(self) -> None:
        self.length = 0
        self.request.connection.set_max_body_size(10)  # type: ignore[union-attr]

    def data_received(self, chunk: bytes) -> None:
        self.length += len(chunk)

    def put(self) -> None:
        self.write(str(self.length))


class Own(Base):
    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.finish(f"own {status_code} {'exc_info' in kwargs}")

    def get(self) -> None:
        raise web.HTTPError(418)

    def options(self) -> None:
        self.set_status(204)


class Module(web.UIModule):
    def render(self, number: int) -> str:
        return f"<m>{number}</m>"

    def embedded_css(self) -> str:
        return "c{}"

    def javascript_files(self) -> list[str]:
        return ["j.js"]

    def html_head(self) -> str:
        return "<meta>"


class Page(Base):
    def get(self) -> None:
        self.render("page.html", value="<b>")


class Nowhere(Base):
    def prepare(self) -> None:
        raise web.HTTPError(404)


def wsgi_application(environ: Any, start_response: Any) -> list[bytes]:
    start_response("201 Made", [("X-W", "1"), ("Content-Type", "text/plain")])
    seen = ("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE")
    return [repr([environ.get(name) for name in seen]).encode(), environ["wsgi.input"].read()]


def application(folder: Path) -> web.Application:
    (folder / "sub").mkdir(parents=True)
    (folder / "s.txt").write_text("static content" * 10)
    (folder / "index.html").write_text("index")
    (folder / "page.html").write_text(
        "<head></head><body>{% module Module(1) %}{{ value }}{{ static_url('s.txt') }}{{ reverse_url('named', 'q') }}"
        "</body>"
    )
    return web.Application(
        [
            ("/", Arguments),
            (r"/m/(\d+)/(.*)", Arguments),
            (r"/k/(?P<a>\w+)", Arguments, None, "named"),
            ("/deed/(.*)", Deed),
            ("/guarded", Guarded),
            ("/pieces", Pieces),
            ("/slash/?", Slash),
            ("/no-slash/?", NoSlash),
            ("/streamed", Streamed),
            ("/own", Own),
            ("/page", Page),
            ("/files/(.*)", web.StaticFileHandler, {"path": str(folder), "default_filename": "index.html"}),
            ("/old/(.*)", web.RedirectHandler, {"url": "/new/{0}", "permanent": False}),
            ("/wsgi.*", web.FallbackHandler, {"fallback": wsgi.WSGIContainer(wsgi_application)}),
            ("/error", web.ErrorHandler, {"status_code": 402}),
            (routing.HostMatches("only.example"), [("/host", Arguments)]),
        ],
        cookie_secret="s" * 32,
        login_url="/login",
        template_path=str(folder),
        static_path=str(folder),
        ui_modules={"Module": Module},
        default_handler_class=Nowhere,
        compress_response=True,
    )


_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_PARTS = {"Content-Type": "multipart/form-data; boundary=b"}
#: (request line without the version, header fields, content).
REQUESTS: list[tuple[str, dict[str, str], bytes]] = [
    *((f"GET {path}", {}, b"") for path in (
        "/", "/?a=1&a=2&b=%00%ff&c=+x+", "/m/12/a%2Fb", "/m/x/", "/k/zz", "/guarded?q=1", "/pieces", "/slash",
        "/slash?a=b", "/slash/", "/no-slash/?a=b", "/page", "/own", "/nowhere", "/error", "/old/a%20b", "/host",
        "/wsgi/p%20q?z", "//x", "/a/../b", "/%", "/?%zz", "/robots.txt", "/static/s.txt", *map("/deed/{}".format, DEEDS)
    )),
    *((f"GET /files/{path}", {}, b"") for path in (
        "s.txt", "", "sub", "sub/", "nowhere", "../x", "..%2fx", "s.txt?v=abc"
    )),
    *(("GET /files/s.txt", {"Range": wanted}, b"") for wanted in (
        "bytes=0-3", "bytes=-3", "bytes=200-", "bytes=5-2", "x", "bytes=0-1,3-4", "bytes=0-"
    )),
    ("GET /files/s.txt", {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}, b""),
    ("GET /files/s.txt", {"If-None-Match": "*"}, b""),
    ("GET /host", {"Host": "only.example"}, b""),
    ("GET /deed/cookies", {"Cookie": "in=hey; bad"}, b""),
    ("GET /deed/long", {"If-None-Match": '"x", *'}, b""),
    ("GET /deed/long", {"Accept-Encoding": "gzip"}, b""),
    ("GET /deed/language", {"Accept-Language": "de;q=0.1, fr, en-US;q=0.9"}, b""),
    *((f"{method} /", {}, b"") for method in ("HEAD", "DELETE", "PATCH", "OPTIONS", "FOO")),
    ("HEAD /deed/long", {}, b""),
    ("HEAD /static/s.txt", {}, b""),
    ("POST /static/s.txt", {}, b""),
    ("HEAD /guarded", {}, b""),
    ("POST /guarded", {}, b""),
    ("OPTIONS /own", {}, b""),
    ("POST /nowhere", {}, b"x"),
    ("POST /", _FORM, b"x=+1+&y=+2+&y=3"),
    ("POST /", _PARTS, b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\nv\r\n--b--\r\n'),
    ("POST /", _PARTS, b"--b garbage"),
    ("POST /", {"Content-Type": "multipart/form-data"}, b"x"),
    ("POST /wsgi", {"Content-Type": "text/x"}, b"in"),
    ("PUT /", {}, b"body"),
    ("PUT /", {"Transfer-Encoding": "chunked"}, b"3\r\nabc\r\n0\r\n\r\n"),
    ("PUT /", {"Transfer-Encoding": "chunked"}, b"zz\r\n"),
    ("PUT /", {"Transfer-Encoding": "gzip"}, b""),
    ("PUT /", {"Content-Length": "x"}, b""),
    ("PUT /streamed", {}, b"12345"),
    ("PUT /streamed", {}, b"1" * 11),
    ("GET /", {"Host": ""}, b""),
    ("GET /", {"Host": "a b"}, b""),
    ("GET /", {"Host": "a,b"}, b""),
    ("GET /", {"X": "y" * 70_000}, b""),
    ("GET /", {"Content-Encoding": "gzip"}, b""),
]  # fmt: skip


async def ask(port: int, line: str, fields: dict[str, str], content: bytes) -> dict[str, Any]:
    """Returns the answer to one request, without what differs from one run to the next."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent = {"Host": "127.0.0.1", "Connection": "close", **fields}
    if content and "Transfer-Encoding" not in sent:
        sent.setdefault("Content-Length", str(len(content)))
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    writer.write(f"{line} HTTP/1.1\r\n{head}\r\n".encode() + content)
    raw = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = raw.decode("latin-1").partition("\r\n\r\n")
    status, *lines = re.sub(r"expires=[^;]*", "expires=E", head.replace(str(port), "PORT")).split("\r\n")
    kept = sorted(each for each in lines if not each.startswith(("Date:", "Expires:", "Last-Modified:")))
    if "Content-Encoding: gzip" in kept:
        # Compressors differ from one version to the next.
        body, kept = "", [each for each in kept if not each.startswith("Content-Length:")]
    return {"status": status, "fields": kept, "body": body}


async def main(folder: Path) -> None:
    # What is logged is not compared here.
    logging.disable(logging.CRITICAL)
    server = httpserver.HTTPServer(application(folder))
    (sock,) = netutil.bind_sockets(0, "127.0.0.1")
    server.add_sockets([sock])
    for line, fields, content in REQUESTS:
        answer = await ask(sock.getsockname()[1], line, fields, content)
        shown = f"{line} {json.dumps(fields)[:60]} {content.decode()[:30]}"
        print(json.dumps({"request": shown, "answer": answer}))
    server.stop()
    await server.close_all_connections()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
