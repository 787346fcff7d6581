"""The programs in `examples/tornado`, run as they are: under the alias, and by Tornado itself.

Each is driven over sockets as somebody would use it. That both pass the same test says that the programs are Tornado
programs, and that nothing has to be changed in them.
"""

from __future__ import annotations

import ast
import asyncio
import hashlib
import http.server
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from eyewall.client import WebSocketClientConnection, websocket_connect
from tests.test_examples import PATIENCE, ROOT, Process, Site

FOLDER = ROOT / "examples" / "tornado"
#: Parts of programs, which these import.
PARTS = {"blog/database.py"}
WAYS = {"eyewall": ("-m", "eyewall.tornado"), "tornado": ()}


@pytest.fixture(params=sorted(WAYS))
def way(request: pytest.FixtureRequest) -> str:
    """What runs a program: Eyewall under Tornado's name, or Tornado."""
    kind: str = request.param
    return kind


@contextmanager
def served(way: str, name: str, *args: str) -> Iterator[Site]:
    """A program that serves until it is ended."""
    with Process(*WAYS[way], f"examples/tornado/{name}", "--port=0", *args) as process:
        yield Site(int(process.wait_for(r"listening on port (\d+)")[1]))
        process.process.terminate()
        process.process.wait(PATIENCE)
        assert not [line for line in process.lines if "Traceback" in line or "Uncaught" in line]


def output(way: str, name: str, *args: str) -> str:
    """What a program prints that ends by itself."""
    done = subprocess.run(
        [sys.executable, *WAYS[way], f"examples/tornado/{name}", *args],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def cookie_of(response: Any, name: str) -> str:
    """`name=value` of a cookie that a response sets."""
    for line in response.headers.get_all("Set-Cookie", []):
        if line.startswith(f"{name}="):
            return str(line.partition(";")[0])
    raise AssertionError(f"no cookie {name}")


def test_polling_chat(way: str) -> None:
    with served(way, "polling_chat.py", "--patience=0.1") as site:
        response, page = site.get("/")
        assert b"/messages?after=" in page
        cookie = cookie_of(response, "_xsrf")

        def say(text: str) -> int:
            headers = {"Cookie": cookie, "X_XSRFToken": cookie.removeprefix("_xsrf=")}
            return site.post_form("/messages", {"text": text}, **headers)[0].status

        assert json.loads(site.get("/messages?after=0")[1]) == {"messages": [], "last": 0}
        assert site.post_form("/messages", {"text": "hello"})[0].status == 403
        assert (say(""), say("x" * 501), say("<b>hello</b>")) == (400, 400, 204)
        said = {"messages": [{"number": 1, "text": "<b>hello</b>"}], "last": 1}
        assert json.loads(site.get("/messages")[1]) == said
        assert json.loads(site.get("/messages?after=9")[1]) == said
        assert json.loads(site.get("/messages?after=1")[1]) == {"messages": [], "last": 1}
        assert site.get("/messages?after=now")[0].status == 400


def test_polling_chat_waits_for_news(way: str) -> None:
    with served(way, "polling_chat.py", f"--patience={PATIENCE}") as site:
        cookie = cookie_of(site.get("/")[0], "_xsrf")
        heard: list[Any] = []
        listeners = [
            threading.Thread(target=lambda: heard.append(json.loads(site.get("/messages?after=0")[1])))
            for _ in range(3)
        ]
        for listener in listeners:
            listener.start()
        headers = {"Cookie": cookie, "X_XSRFToken": cookie.removeprefix("_xsrf=")}
        site.post_form("/messages", {"text": "news"}, **headers)
        for listener in listeners:
            listener.join(PATIENCE)
        assert heard == [{"messages": [{"number": 1, "text": "news"}], "last": 1}] * 3


def test_socket_chat(way: str) -> None:
    async def hear(seat: WebSocketClientConnection) -> Any:
        message = await seat.read_message()
        assert isinstance(message, str)
        return json.loads(message)

    async def talk(port: int) -> None:
        room = f"ws://127.0.0.1:{port}/storm/socket"
        ann = await websocket_connect(f"{room}?name=Ann")
        assert await hear(ann) == {"present": ["Ann"]}
        bob = await websocket_connect(f"{room}?name=%3Ci%3EBob")
        for seat in (ann, bob):
            assert await hear(seat) == {"present": ["<i>Bob", "Ann"]}
        await bob.write_message('{"text": " hello "}')
        for seat in (ann, bob):
            assert await hear(seat) == {"name": "<i>Bob", "text": "hello"}
        await bob.write_message("hello")
        assert await bob.read_message() is None
        assert bob.close_code == 1008
        assert await hear(ann) == {"present": ["Ann"]}
        late = await websocket_connect(f"{room}?name=Late")
        assert await hear(late) == {"name": "<i>Bob", "text": "hello"}
        nobody = await websocket_connect(room)
        assert await nobody.read_message() is None
        other = await websocket_connect(f"ws://127.0.0.1:{port}/calm/socket?name=Ann")
        assert await hear(other) == {"present": ["Ann"]}
        for seat in (ann, late, other):
            seat.close()
            while await seat.read_message() is not None:
                pass

    with served(way, "socket_chat.py") as site:
        _, page = site.get("/storm")
        assert b"<h1>storm</h1>" in page
        assert site.get("/")[0].headers["Location"] == "/lobby"
        asyncio.run(talk(site.port))


def test_upload(way: str, tmp_path: Path) -> None:
    content = os.urandom(3 * 1024 * 1024 + 7)
    (tmp_path / "file").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    folder = tmp_path / "uploads"
    with served(way, "receiver.py", f"--folder={folder}", "--limit=4000000") as site:
        url = f"http://127.0.0.1:{site.port}/files/wind.bin"
        assert output(way, "sender.py", url, str(tmp_path / "file")) == f"wind.bin {len(content)} {digest}\n"
        assert (folder / "wind.bin").read_bytes() == content
        response, _ = site.get("/stored/wind.bin")
        assert (response.status, response.headers["Content-Length"]) == (200, str(len(content)))
        assert site.get("/stored/.part-x")[0].status == 404
        assert site.ask("PUT", "/files/..%2Fx", b"")[0].status == 404
        assert site.ask("PUT", "/files/large", b"", Content_Length="4000001")[0].status in (400, 413)
        assert site.ask("PUT", "/files/small", b"abc")[0].status == 201
        assert sorted(os.listdir(folder)) == ["small", "wind.bin"]


def test_upload_by_a_form(way: str, tmp_path: Path) -> None:
    with served(way, "receiver.py", f"--folder={tmp_path}") as site:
        assert b"multipart/form-data" in site.get("/")[1]
        part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="../eye"\r\n\r\nwind\r\n'
        kind = "multipart/form-data; boundary=x"
        response, answer = site.ask("POST", "/", part + b"--x--\r\n", Content_Type=kind)
        name = hashlib.sha256(b"wind").hexdigest()
        assert (response.status, json.loads(answer)) == (201, {"name": name, "called": "../eye", "size": 4})
        assert (tmp_path / name).read_bytes() == b"wind"
        assert site.ask("POST", "/", part * 2 + b"--x--\r\n", Content_Type=kind)[0].status == 400
        assert site.ask("POST", "/", b"", Content_Type=kind)[0].status == 400


def test_echo(way: str) -> None:
    with served(way, "echo_server.py") as site:
        said = output(way, "echo_client.py", "127.0.0.1", str(site.port), "wind", "calm é")
        assert said == "wind\ncalm é\n"

        async def shout() -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
            writer.write(b"a\nb")
            assert await reader.readline() == b"a\n"
            writer.write(b"x" * 5000)
            rest = await reader.read()
            writer.close()
            return rest

        # A line that does not end is not kept.
        assert asyncio.run(shout()) == b""


LINKS = {
    "/": '<a href="a.html#top">a</a> <a href="/a.html">again</a> <a href="deep/">deep</a> <a name="x">none</a>',
    "/a.html": '<a href="/">home</a> <a href="missing">gone</a> <a href="http://elsewhere.invalid/">far</a>',
    "/deep/": '<a href="b.txt">text</a> <a href="mailto:me">me</a> <a href="http://[">broken',
}


class Pages(http.server.BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        page = LINKS.get(self.path, '<a href="/not-html">x</a>' if self.path.endswith(".txt") else None)
        self.send_response(404 if page is None else 200)
        self.send_header("Content-Type", "text/plain" if self.path.endswith(".txt") else "text/html")
        self.end_headers()
        self.wfile.write((page or "").encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_spider(way: str) -> None:
    Pages.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            site = f"http://127.0.0.1:{server.server_port}"
            found = output(way, "spider.py", "--workers=3", f"{site}/").splitlines()
            limited = output(way, "spider.py", "--limit=1", f"{site}/").splitlines()
        finally:
            server.shutdown()
            serving.join(PATIENCE)
    assert found == [f"200 {site}{path}" for path in ("/", "/a.html", "/deep/", "/deep/b.txt")] + [
        f"404 {site}/missing"
    ]
    assert limited == [f"200 {site}/"]
    assert len(Pages.asked) == 6


class Reader:
    """Somebody with a browser: cookies, and forms that are filled in and sent."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.cookies: dict[str, str] = {}

    def _ask(self, method: str, path: str, fields: dict[str, str]) -> tuple[int, str, str]:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": cookie} if cookie else {}
        if method == "POST":
            response, content = self.site.post_form(path, fields, **headers)
        else:
            response, content = self.site.get(path, **headers)
        for line in response.headers.get_all("Set-Cookie", []):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
            if value in ("", '""'):
                del self.cookies[name]
        return response.status, response.headers.get("Location", ""), content.decode()

    def get(self, path: str) -> tuple[int, str, str]:
        return self._ask("GET", path, {})

    def submit(self, page: str, action: str = "", **fields: str) -> tuple[int, str, str]:
        """Fills in the form of a page and sends it."""
        status, _, text = self.get(page)
        assert status == 200
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text))
        return self._ask("POST", action or page, {**hidden, **fields})


def test_blog(way: str, tmp_path: Path) -> None:
    with served(
        way, "blog/blog.py", f"--database={tmp_path / 'blog.db'}", "--secret=only-for-this-test"
    ) as site:
        ann, guest = Reader(site), Reader(site)
        assert "Nothing yet." in guest.get("/")[2]
        assert guest.get("/compose")[:2] == (302, "/login?next=%2Fcompose")

        assert ann.submit("/register", name="Ann", password="short")[0] == 400
        assert ann.submit("/register", name="Ann", password="a long one")[:2] == (302, "/")
        assert guest.get("/register")[:2] == (302, "/login")
        title = "Wind & <Rain>, über all"
        status, where, _ = ann.submit("/compose", title=title, text="One.\n\n<script>two</script>")
        assert (status, where) == (302, "/entry/wind-rain-uber-all")
        assert ann.submit("/compose", title="Wind (Rain) uber all", text="x")[1].startswith(where + "-")
        page = guest.get(where)[2]
        assert "<h1>Wind &amp; &lt;Rain&gt;, über all</h1>" in page
        assert "<p>One.</p>\n<p>&lt;script&gt;two&lt;/script&gt;</p>" in page
        assert "/compose?id=1" not in page
        assert "/compose?id=1" in ann.get(where)[2]
        assert ann.submit("/compose?id=1", title="Calm", text="Two.")[:2] == (302, where)
        assert "<p>Two.</p>" in guest.get(where)[2]
        assert guest.get("/entry/nothing")[0] == 404

        assert ann.submit("/register", name="Ann", password="another one")[0] == 409
        bob = Reader(site)
        bob.cookies = dict(ann.cookies)
        assert bob.submit("/register", name="Bob", password="12345678")[0] == 302
        assert bob.get("/compose?id=1")[0] == 403

        assert ann.submit("/", "/logout")[0] == 302
        assert ann.get("/compose")[0] == 302
        for name, password in (("Ann", "a wrong one"), ("Nobody", "a long one")):
            status, _, page = ann.submit("/login", name=name, password=password)
            assert status == 403
            assert "Unknown name or wrong password" in page
        for target, leads in (
            ("/compose", "/compose"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
        ):
            assert ann.submit(f"/login?next={target}", name="Ann", password="a long one")[:2] == (302, leads)
        assert ann.get("/compose")[0] == 200
        ann.cookies["author"] = ann.cookies["author"][:-3] + '0"'
        assert ann.get("/compose")[0] == 302

        assert guest._ask("POST", "/login", {"name": "Ann", "password": "a long one"})[0] == 403
        feed = ElementTree.fromstring(guest.get("/feed")[2])
        titles = [entry.findtext("{*}title") for entry in feed.findall("{*}entry")]
        assert titles == ["Wind (Rain) uber all", "Calm"]
    stored = (tmp_path / "blog.db").read_bytes()
    assert b"Ann" in stored
    assert b"a long one" not in stored


def test_every_program_is_tried() -> None:
    """By name: which of the tests run in this process is not known here."""
    tree = ast.parse(Path(__file__).read_text())
    stated = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert {str(file.relative_to(FOLDER)) for file in FOLDER.rglob("*.py")} - PARTS <= stated
