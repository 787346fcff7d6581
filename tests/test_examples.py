"""Every example runs, as a program of its own, and does over a socket what it says.

A new file in `examples` needs a test here: `test_every_example_is_tried` sees to it.
"""

from __future__ import annotations

import ast
import asyncio
import hashlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from urllib.parse import urlencode

import pytest

from eyewall.client import WebSocketClientConnection, websocket_connect
from tests.listening import Listening
from tests.redisserver import redis_server

pytestmark = pytest.mark.one_build

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
#: Seconds after which something that should have happened has not.
PATIENCE = 25.0


class Process(Listening):
    """A Python program; `lines` is what it says on standard error. Leaving it ends it."""

    def __init__(self, *args: str, **variables: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("EYEWALL_")}
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        environment.update(variables)
        self.process = subprocess.Popen(
            [sys.executable, *args],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        self._listen(self.process.stderr)

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self.process.stderr is not None
        self.process.stderr.close()
        if error is not None:
            print("\n".join(self.lines))

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Waits until a line has `pattern`."""

        def look() -> re.Match[str] | None:
            return next((found for line in self.lines if (found := re.search(pattern, line))), None)

        with self._news:
            self._news.wait_for(lambda: look() is not None or self._over, PATIENCE)
            found = look()
        assert found is not None, f"{pattern!r} was not said:\n" + "\n".join(self.lines)
        return found

    def stop(self) -> int:
        """Ends it as a service manager does; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


class Site:
    """A client of one server."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(
        self, method: str, path: str, body: bytes | str | None = None, **headers: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Sends one request; returns the response and its content. `_` in names of headers is a hyphen."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        return self.ask("GET", path, **headers)

    def post_form(
        self, path: str, fields: dict[str, str], **headers: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        headers["Content_Type"] = "application/x-www-form-urlencoded"
        return self.ask("POST", path, urlencode(fields), **headers)

    @contextmanager
    def streaming(self, path: str, **headers: str) -> Iterator[http.client.HTTPResponse]:
        """A response that goes on, to be read line by line."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(
                "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}
            )
            response = connection.getresponse()
            with response:
                yield response
        finally:
            connection.close()


@contextmanager
def served(name: str, *args: str) -> Iterator[Site]:
    """The example `name`, served by `eyewall run` with `args`. Ends it in order, leaving nothing unfinished."""
    with Process(
        "-m", "eyewall", "run", f"examples/{name}", "--port", "0", "--drain-timeout", "5", *args
    ) as process:
        yield Site(int(process.wait_for(r"Listening on http://127\.0\.0\.1:(\d+)")[1]))
        assert process.stop() == 0
        assert not [line for line in process.lines if "Traceback" in line or "Uncaught" in line]


@contextmanager
def program(name: str, *args: str) -> Iterator[tuple[Site, Process]]:
    """The example `name` as a program that says on which port it listens."""
    with Process(f"examples/{name}", *args) as process:
        yield Site(int(process.wait_for(r"listening on port (\d+)")[1])), process
        assert process.stop() == 0
        assert not [line for line in process.lines if "Traceback" in line or "Uncaught" in line]


def test_hello() -> None:
    with served("hello.py") as site:
        response, content = site.get("/")
        assert (response.status, content) == (200, b"Hello, World!\n")
        assert response.headers["Server"] == "Eyewall"
        assert response.headers["X-Request-ID"]
        assert site.get("/else")[0].status == 404


def test_program_drains() -> None:
    with program("program.py", "--port=0") as (site, _):
        response, content = site.get("/hello/you")
        assert (response.status, json.loads(content)) == (200, {"hello": "you"})


def test_gather_in_time_and_too_late() -> None:
    with served("gather.py") as site:
        response, content = site.get("/prices/tea?patience=20")
        assert response.status == 200
        assert set(json.loads(content)) == {"north", "south", "harbour"}
        assert site.get("/prices/tea?patience=0")[0].status == 504


def test_notes() -> None:
    with served("notes.py") as site:
        response, content = site.ask("POST", "/notes", '{"text": "buy tea"}', Content_Type="application/json")
        assert (response.status, json.loads(content)) == (201, {"id": 1, "text": "buy tea"})
        where = response.headers["Location"]
        assert where == "/notes/1"
        assert json.loads(site.get(where)[1]) == {"id": 1, "text": "buy tea"}
        assert (
            site.ask("PUT", where, '{"text": "drink tea"}', Content_Type="application/json")[0].status == 204
        )
        assert json.loads(site.get("/notes")[1]) == {"notes": [{"id": 1, "text": "drink tea"}]}
        assert site.ask("DELETE", where)[0].status == 204
        for method, path, body, kind, status in (
            ("GET", where, None, "", 404),
            ("GET", "/notes/x", None, "", 404),
            ("POST", "/notes", "{", "application/json", 400),
            ("POST", "/notes", "[1]", "application/json", 422),
            ("POST", "/notes", "text=a", "application/x-www-form-urlencoded", 415),
        ):
            assert site.ask(method, path, body, Content_Type=kind)[0].status == status
        response, content = site.ask("POST", "/notes", "[]", Content_Type="application/json")
        assert json.loads(content) == {"status": 422, "error": "A note needs a text"}


def test_chat() -> None:
    async def talk(port: int) -> None:
        url = f"ws://127.0.0.1:{port}/socket"
        one = await websocket_connect(url)
        assert await one.read_message() == '{"text": "1 here"}'
        other = await websocket_connect(url)
        for each in (one, other):
            assert await each.read_message() == '{"text": "2 here"}'
        await other.write_message("<b>hello</b>")
        for each in (one, other):
            heard = await each.read_message()
            assert isinstance(heard, str)
            assert json.loads(heard) == {"text": "<b>hello</b>"}
        await other.write_message("x" * 501)
        assert await other.read_message() is None
        assert (other.close_code, other.close_reason) == (1008, "short texts only")
        assert await one.read_message() == '{"text": "1 here"}'
        one.close()
        assert await one.read_message() is None

    with served("chat.py") as site:
        response, content = site.get("/")
        assert response.status == 200
        assert b"new WebSocket" in content
        asyncio.run(talk(site.port))


async def _heard(socket: WebSocketClientConnection, part: str) -> str:
    while True:
        message = await socket.read_message()
        assert isinstance(message, str), f"closed before {part!r} came"
        if part in message:
            return message


async def _chat_in_rooms(port: int) -> None:
    url = f"ws://127.0.0.1:{port}/socket/lobby?name="
    # Each of several processes has one of them, or more.
    sockets = [await websocket_connect(url + name) for name in ("ada", "bob", "eve", "joe", "kim", "sue")]
    for socket in sockets:
        here: list[str] = []
        while sorted(here) != ["ada", "bob", "eve", "joe", "kim", "sue"]:
            here = json.loads(await _heard(socket, "here"))["here"]
    await sockets[1].write_message("hello")
    for socket in sockets:
        assert json.loads(await _heard(socket, "hello")) == {"who": "bob", "text": "hello"}
    sockets.pop().close()
    for socket in sockets:
        while "sue" in json.loads(await _heard(socket, "here"))["here"]:
            pass
        socket.close()


def _news_that_go_on(site: Site) -> None:
    with site.streaming("/news") as response:
        assert response.readline() == b"retry: 2000\n"
        assert response.readline() == b"\n"
        first = response.readline()
        assert first.startswith(b"id: ")
    response, content = site.post_form("/publish", {"headline": "It rains"})
    assert (response.status, json.loads(content)["delivered"]) == (200, True)
    with site.streaming("/news", Last_Event_ID=first[4:-1].decode()) as response:
        lines = [response.readline() for _ in range(5)]
        assert lines[2:] == [
            b"event: news\n",
            f"id: {json.loads(content)['id']}\n".encode(),
            b"data: It rains\n",
        ]


def test_rooms_in_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    with served("guard/rooms.py") as site:
        assert b"new WebSocket" in site.get("/")[1]
        asyncio.run(_chat_in_rooms(site.port))
        _news_that_go_on(site)


def test_rooms_in_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    with redis_server() as redis:
        monkeypatch.setenv("REDIS_URL", redis.url)
        with served("guard/rooms.py", "--processes", "2") as site:
            asyncio.run(_chat_in_rooms(site.port))
            _news_that_go_on(site)


def test_wsclient() -> None:
    with served("chat.py") as site:
        done = subprocess.run(
            [
                sys.executable,
                "examples/wsclient.py",
                f"ws://127.0.0.1:{site.port}/socket",
                "hello",
                "goodbye",
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f'{{"text": "{text}"}}' for text in ("1 here", "hello", "goodbye")]


def _fetch(*args: str) -> str:
    """Runs the client of the examples; returns what it prints."""
    done = subprocess.run(
        [sys.executable, "examples/fetch.py", *args],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_fetch(tmp_path: Path) -> None:
    file = tmp_path / "numbers.csv"
    with served("download.py") as site:
        url = f"http://127.0.0.1:{site.port}/"
        assert sorted(_fetch("get", url + "numbers/3.csv", url + "none").splitlines()) == [
            f"{url}none: HTTP 404: Not Found",
            f"{url}numbers/3.csv: 200, 12 bytes",
        ]
        assert _fetch("save", url + "numbers/100000.csv", str(file)) == "saved text/csv; charset=UTF-8\n"
    content = file.read_bytes()
    assert content == b"".join(b"%d,%d\n" % (number, number * number) for number in range(100000))
    with served("upload.py") as site:
        answer = _fetch("send", str(file), f"http://127.0.0.1:{site.port}/digest")
    assert json.loads(answer) == {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_clock() -> None:
    with served("events.py") as site:
        with site.streaming("/clock") as response:
            assert response.headers["Content-Type"] == "text/event-stream"
            lines = [response.readline() for _ in range(4)]
        assert lines[0] == b"event: tick\n"
        assert lines[1] == b"id: 1\n"
        assert re.fullmatch(rb"data: \d\d:\d\d:\d\d\n", lines[2])
        assert lines[3] == b"\n"
        with site.streaming("/clock", Last_Event_ID="41") as response:
            assert b"id: 42\n" in [response.readline() for _ in range(2)]


def test_news() -> None:
    with served("events.py") as site, site.streaming("/news") as reader:
        assert reader.readline() == b"retry: 2000\n"
        assert reader.readline() == b"\n"
        sent = site.post_form("/publish", {"headline": "wind\nrises"})[1]
        assert json.loads(sent) == {"readers": 1}
        assert reader.readline() == b"event: news\n"
        assert reader.readline() == b'data: {"headline": "wind\\nrises"}\n'


def _form(boundary: str, title: str, photo: bytes) -> bytes:
    return (
        (
            f'--{boundary}\r\nContent-Disposition: form-data; name="title"\r\n\r\n{title}\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="photo"; filename="../eye.jpg"\r\n'
            f"Content-Type: image/jpeg\r\n\r\n"
        ).encode()
        + photo
        + f"\r\n--{boundary}--\r\n".encode()
    )


def test_upload_of_a_form() -> None:
    photo = os.urandom(3 * 1024 * 1024)
    with served("upload.py") as site:
        assert b"multipart/form-data" in site.get("/photos")[1]
        kind = "multipart/form-data; boundary=xyz"
        response, content = site.ask("POST", "/photos", _form("xyz", "the eye", photo), Content_Type=kind)
        assert response.status == 201
        answer = json.loads(content)
        assert answer["title"] == "the eye"
        [saved] = answer["saved"]
        assert (saved["called"], saved["size"]) == ("../eye.jpg", len(photo))
        assert re.fullmatch("[0-9a-f]{32}", saved["name"])
        assert site.ask("POST", "/photos", b"not a form", Content_Type=kind)[0].status == 400
        assert site.ask("POST", "/photos", b"{}", Content_Type="application/json")[0].status == 415


def test_upload_of_anything() -> None:
    content = os.urandom(2 * 1024 * 1024)
    with served("upload.py") as site:
        response, answer = site.ask("PUT", "/digest", content)
        assert response.status == 200
        assert json.loads(answer) == {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_download() -> None:
    with served("download.py") as site:
        response, content = site.get("/numbers/20000.csv")
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert content == b"".join(b"%d,%d\n" % (number, number * number) for number in range(20000))
        with site.streaming("/numbers/9999999.csv") as response:
            assert response.readline() == b"0,0\n"


def test_login() -> None:
    with served("login.py") as site:
        response, _ = site.get("/")
        assert (response.status, response.headers["Location"]) == (302, "/login?next=%2F")
        response, content = site.get("/login")
        cookie = response.headers["Set-Cookie"].partition(";")[0]
        found = re.search(rb'name="_xsrf" value="([^"]+)"', content)
        assert found is not None
        fields = {"name": "Ada", "_xsrf": found[1].decode()}
        assert site.post_form("/login", {"name": "Ada"}, Cookie=cookie)[0].status == 403
        forged = site.post_form("/login", fields, Cookie=cookie, Origin="https://elsewhere.example")
        assert forged[0].status == 403
        response, _ = site.post_form("/login", fields, Cookie=cookie)
        assert (response.status, response.headers["Location"]) == (302, "/")
        user = response.headers["Set-Cookie"].partition(";")[0]
        assert json.loads(site.get("/", Cookie=user)[1]) == {"user": "Ada"}
        assert site.get("/", Cookie=user[:-2] + ("0" if user[-2] != "0" else "1") + user[-1])[0].status == 302
        assert site.get("/", Cookie="user=Ada")[0].status == 302


def test_limits() -> None:
    with served("limits.py") as site:
        assert site.ask("POST", "/echo", b"x" * 1024)[1] == b"x" * 1024
        assert site.ask("POST", "/echo", b"", Content_Length=str(1024 * 1024 + 1))[0].status == 413


def test_deadlines() -> None:
    with served("guard/deadlines.py") as site:
        assert site.get("/report?seconds=0")[1] == b"computed with 10 s left\n"
        assert site.ask("POST", "/report?seconds=0", b"")[1] == b"computed with 2 s left\n"
        assert site.get("/patient")[1] == b"not computed\n"
        response, content = site.get("/report?seconds=60", X_Request_Timeout="0.1")
        assert (response.status, response.headers["Retry-After"]) == (503, "5")
        assert json.loads(content) == {"error": "this took too long"}
        assert site.get("/report?seconds=0", grpc_timeout="1x")[0].status == 400


def test_lifecycle() -> None:
    async def tick(port: int) -> None:
        socket = await websocket_connect(f"ws://127.0.0.1:{port}/ticker")
        assert await socket.read_message() == "0 stored"
        socket.close()
        assert await socket.read_message() is None

    with Process("-m", "eyewall", "run", "examples/guard/lifecycle.py", "--port", "0") as process:
        site = Site(int(process.wait_for(r"Listening on http://127\.0\.0\.1:(\d+)")[1]))
        asyncio.run(tick(site.port))
        assert site.ask("POST", "/note", b"tea")[0].status == 202
        assert process.stop() == 0
    lines = [line.partition("] ")[2] for line in process.lines]
    assert [line for line in lines if line.startswith(("database", "cache"))] == [
        "database connected",
        "cache warm",
        "database closed with 1 stored",
    ]


def test_drain() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "examples/guard/drain.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert re.fullmatch(r"Drained in \d\.\d s of 10 s: message 3\n", done.stderr)


def test_doctor() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "examples/doctor.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    lines = Path(EXAMPLES / "doctor.py").read_text().splitlines()
    failing = 1 + next(number for number, line in enumerate(lines) if "return int(text)" in line)
    created = 1 + next(number for number, line in enumerate(lines) if 'store("this' in line)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(line.rpartition("/")[2] for line in done.stdout.splitlines()) == [
        f"doctor.py:{failing} in count: A task of count ended with ValueError, and nobody has read that",
        f"doctor.py:{created} in main: The coroutine store was created and never awaited: none of it has run",
    ]


def test_stacks() -> None:
    done = subprocess.run(
        [sys.executable, "examples/stacks.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "held by task first, taken at" in done.stdout
    assert done.stdout.index("task second") < done.stdout.index("    task first")


def test_checked() -> None:
    with served("checked.py") as site:
        assert json.loads(site.get("/report")[1]) == {"rows": [1, 2, 3]}


def test_examined() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "eyewall.doctor.pytestplugin", "-p", "no:cacheprovider"),
            *("--rootdir=examples", "-c", "/dev/null", "--eyewall-doctor", "examples/examined.py"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert "1 failed, 1 passed" in done.stdout, done.stdout
    assert "[coroutine-never-awaited]" in done.stdout
    assert 'store("this is lost")' in done.stdout


def test_guard_refusing() -> None:
    with served("guard/refusing.py") as site:
        assert site.get("/reports/tea")[1] == b"report of tea\n"
        first = site.get("/search")[0]
        assert (first.status, first.headers["RateLimit-Policy"]) == (200, '"search";q=10;w=5')
        # Two a second come back, however slowly they are asked for here.
        refused = next(found for found in iter(lambda: site.get("/search")[0], None) if found.status != 200)
        assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
        statuses = [site.ask("POST", "/messages", b"", X_Api_Key="mine")[0].status for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        assert site.ask("POST", "/messages", b"", X_Api_Key="yours")[0].status == 200
        assert site.get("/messages")[0].status == 200
        listed = json.loads(site.get("/open")[1])["requests"]
        assert [(entry["route"], entry["label"]) for entry in listed] == [("/open", "GET /open")]
        assert json.loads(site.ask("DELETE", "/open")[1]) == {"closed": 0}


def test_guard_shedding() -> None:
    with program("guard/shedding.py", "--port=0") as (site, _):
        assert [site.get(path)[0].status for path in ("/", "/feed/1", "/checkout/1")] == [200] * 3


def test_mixed() -> None:
    with served("mixed.py") as site:
        assert site.get("/new")[1] == b"new\n"
        assert site.get("/elsewhere")[1] == b"old: /elsewhere\n"


def test_asgi() -> None:
    with served("asgi.py") as site:
        assert site.get("/a/path")[1] == b"/a/path\n"
        asyncio.run(said_again(f"ws://127.0.0.1:{site.port}/"))


async def said_again(url: str) -> None:
    socket = await websocket_connect(url)
    await socket.write_message("hello")
    assert await socket.read_message() == "hello"
    socket.close()
    assert await socket.read_message() is None


def test_pools() -> None:
    with served("guard/pools.py") as site:
        assert [json.loads(site.get("/visit/a")[1]) for _ in range(2)] == [{"visits": 1}, {"visits": 2}]
        state = json.loads(site.get("/pool")[1])
        assert (state["open"], state["idle"], state["acquired"]) == (1, 1, 2)


def test_breakers() -> None:
    with served("guard/breakers.py") as site:
        assert json.loads(site.get("/search?words=tea")[1]) == {"found": ["tea, green", "tea, black"]}
        assert json.loads(site.get("/stock")[1]) == {"tea": 7}
        site.post_form("/warehouse", {"state": "broken"})
        statuses = []
        while 503 not in statuses:
            response, _ = site.get("/stock")
            statuses.append(response.status)
        # One good call and four failures are enough.
        assert statuses == [502] * 4 + [503]
        assert response.headers["Retry-After"] == "1"
        site.post_form("/warehouse", {"state": "mended"})
        until = time.monotonic() + PATIENCE
        while site.get("/stock")[0].status == 503 and time.monotonic() < until:
            time.sleep(0.05)
        assert json.loads(site.get("/stock")[1]) == {"tea": 7}


def test_site() -> None:
    with served("site/app.py") as site:
        response, content = site.get("/", Accept_Encoding="identity")
        assert response.status == 200
        assert b'<tr class="strong"><td>Patricia</td><td>2015</td><td>185</td></tr>' in content
        assert b"<td>&lt;Nameless&gt;</td>" in content
        found = re.search(rb'href="(/static/style\.css\?v=[0-9a-f]+)"', content)
        assert found is not None
        response, style = site.get(found[1].decode())
        assert style == (EXAMPLES / "site/static/style.css").read_bytes()
        assert "max-age" in response.headers["Cache-Control"]
        tag = response.headers["Etag"]
        assert site.get("/static/style.css", If_None_Match=tag)[0].status == 304
        assert site.get("/static/../app.py")[0].status == 403


def test_health(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "closed"
    monkeypatch.setenv("SHOP_CLOSED", str(closed))
    done = subprocess.run(
        [sys.executable, "-W", "error", "examples/guard/health.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    first, second = done.stdout.splitlines()
    assert first == "not started: start:migrations (not done yet), disk (there is no result yet)"
    assert re.fullmatch(r"ready \d+ MiB free", second)
    with Process(
        "-m", "eyewall", "run", "examples/guard/health.py:make_app", "--port", "0", "--health-port", "0"
    ) as process:
        shop = Site(int(process.wait_for(r"Listening on http://127\.0\.0\.1:(\d+)")[1]))
        probes = Site(int(process.wait_for(r"answered at http://127\.0\.0\.1:(\d+)")[1]))
        _until(lambda: probes.get("/startupz")[0].status == 200)
        lines = probes.get("/readyz?verbose")[1].decode().splitlines()
        assert {"[+]database ok", "[+]open ok", "[+]queue:orders ok: 0 orders wait"} <= set(lines)
        assert lines[-1] == "readyz check passed"
        shop.post_form("/", {"orders": "1001"})
        response, content = probes.get("/readyz")
        assert response.status == 503
        assert b"[-]queue:orders failed: 1001 orders wait\n" in content
        assert probes.get("/readyz?exclude=queue:orders")[0].status == 200
        closed.touch()
        try:
            _until(lambda: b"[-]open failed: it says no\n" in probes.get("/readyz")[1])
        finally:
            closed.unlink()
        assert probes.get("/livez")[0].status == 200
        assert process.stop() == 0


def test_doctor_metrics() -> None:
    with Process(
        "-m", "eyewall", "run", "examples/doctor/metrics.py", "--port", "0", "--metrics", "127.0.0.1:0"
    ) as process:
        site = Site(int(process.wait_for(r"Listening on http://127\.0\.0\.1:(\d+)")[1]))
        scrapes = Site(int(process.wait_for(r"Metrics are at http://127\.0\.0\.1:(\d+)/metrics")[1]))
        for number in range(3):
            assert json.loads(site.get(f"/report/{number}")[1]) == {"report": number}
        assert site.get("/slow")[0].status == 200
        times = site.get("/times")[1].decode()
        assert re.search(r"^/report/\(\\d\+\): 3 requests, running \d.*, waiting \d", times, re.MULTILINE)
        assert re.search(r"^/slow: 1 requests, blocking \d", times, re.MULTILINE)
        for text in (
            scrapes.get("/metrics")[1].decode(),
            site.get("/metrics", Authorization="Bearer sesame")[1].decode(),
        ):
            assert 'route="/report/(\\\\d+)",status="200"} 3.0' in text
            assert "reports_total 3.0" in text
        assert site.get("/metrics")[0].status == 401
        assert process.stop() == 0


def test_doctor_dashboard() -> None:
    token = "correct-horse-battery"
    run = ("-m", "eyewall", "run", "examples/doctor/dashboard.py", "--port", "0")
    with Process(*run, EYEWALL_DASHBOARD_TOKEN=token) as process:
        site = Site(int(process.wait_for(r"Listening on http://127\.0\.0\.1:(\d+)")[1]))
        assert json.loads(site.get("/report/7")[1]) == {"report": 7}
        assert site.get("/ops/dashboard/")[0].status == 401
        response, _ = site.post_form("/ops/dashboard/login", {"token": token})
        assert (response.status, response.headers["Location"]) == (303, "./")
        cookie = response.headers["Set-Cookie"].partition(";")[0]
        assert site.get("/ops/dashboard/", Cookie=cookie)[0].status == 200
        with site.streaming("/ops/dashboard/events", Cookie=cookie) as events:
            while events.readline() != b"event: state\n":
                continue
            routes = json.loads(events.readline().removeprefix(b"data: "))["state"]["routes"]
            assert r"/report/(\d+)" in [each["route"] for each in routes]
        assert process.stop() == 0


def test_doctor_tracing() -> None:
    done = subprocess.run(
        [sys.executable, "examples/doctor/tracing.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stdout.splitlines() == [
        r"server: GET /left/(\w+)",
        "client: GET",
        r"server: GET /article/(\w+)",
        "client: GET",
    ]


def _until(condition: Callable[[], bool]) -> None:
    """Asks again until it is so."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_tornado_program() -> None:
    async def talk(port: int) -> None:
        socket = await websocket_connect(f"ws://127.0.0.1:{port}/echo")
        await socket.write_message("hello")
        assert await socket.read_message() == "you said: hello"
        socket.close()
        assert await socket.read_message() is None

    with program("tornado_program.py", "--port=0") as (site, _):
        response, content = site.post_form("/", {"job": "sweep"})
        assert (response.status, json.loads(content)) == (200, {"done": ["sweep"]})
        assert response.headers["Server"] == "TornadoServer/6.6.1"
        assert json.loads(site.get("/")[1]) == {"done": ["sweep"]}
        asyncio.run(talk(site.port))


def test_guard_executors() -> None:
    with served("guard/executors.py") as site:
        assert json.loads(site.get("/rows/3")[1]) == {"rows": [0, 1, 2]}
        assert json.loads(site.get("/primes/100000")[1]) == {"primes": 9592}
        state = json.loads(site.get("/state")[1])
        assert state["state"]["workers"] == 4
        assert state["counters"]["done"] == 1


def test_testing() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "examples/testing.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert "Ran 4 tests" in done.stderr
    assert done.stderr.endswith("OK\n")


def test_every_example_is_tried() -> None:
    """By name: which of the tests run in this process is not known here."""
    tree = ast.parse(Path(__file__).read_text())
    stated = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    programs = {str(file.relative_to(EXAMPLES)) for file in EXAMPLES.rglob("*.py")}
    untried = {name for name in programs if not stated & {name, f"examples/{name}"}}
    # By `test_tornado_examples`, `docs/test_start`, `test_tutorial`, `test_migrating`, `docs/test_howto`.
    elsewhere = ("tornado/", "start/", "tutorial/", "migrating/", "howto/")
    assert {name for name in untried if not name.startswith(elsewhere)} == set()
