"""The URLs, over a real socket: what is answered to whom."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from eyewall.doctor.control.client import NoDoctor
from eyewall.doctor.control.protocol import ControlError
from eyewall.doctor.dashboard.application import application, rules
from eyewall.doctor.dashboard.board import QUESTIONS, Board
from eyewall.doctor.dashboard.feed import Feed
from eyewall.doctor.dashboard.gate import Gate
from eyewall.doctor.dashboard.handlers import CONTENT
from eyewall.http.server import HTTPServer
from eyewall.web.application import Application

from ...waiting import until
from ...web.serving import Response
from .fakes import FakeProcess, Machine

pytestmark = pytest.mark.one_build

Run = Callable[[Any], Any]
TOKEN = "0123456789abcdef"
ACT = json.dumps({"task": "1", "name": "x"}).encode()


class Site:
    """A dashboard that is served, and a browser that has its cookie."""

    def __init__(self, board: Board, port: int, root: str) -> None:
        self.board = board
        self.port = port
        self.root = root

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def headers(self, **other: str) -> dict[str, str]:
        gate = self.board.gate
        found = {
            "Host": self.host,
            "Cookie": f"{gate.cookie}={gate.pass_}",
            "X-Eyewall-Token": gate.csrf,
            **{name.replace("_", "-"): value for name, value in other.items()},
        }
        return {name: value for name, value in found.items() if value}

    async def fetch(
        self, path: str, method: str = "GET", body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Response:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(self.request(path, method, body, headers))
            return Response(await reader.read())
        finally:
            writer.close()
            await writer.wait_closed()

    def request(self, path: str, method: str, body: bytes, headers: dict[str, str] | None) -> bytes:
        lines = [f"{method} {self.root}{path} HTTP/1.1", "Connection: close"]
        lines += [
            f"{name}: {value}" for name, value in (self.headers() if headers is None else headers).items()
        ]
        if body or method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "\r\n"]).encode("latin-1") + body

    @asynccontextmanager
    async def stream(self, path: str) -> AsyncIterator[asyncio.StreamReader]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(self.request(path, "GET", b"", None))
            yield reader
        finally:
            writer.close()


@asynccontextmanager
async def site(
    *processes: FakeProcess, prefix: str = "", gate: Gate | None = None, **options: Any
) -> AsyncIterator[Site]:
    machine = Machine(*processes)
    feed = Feed(machine.directory, interval=0.005, **options)
    board = Board(gate or Gate(TOKEN, cookie="board"), machine.directory, f"{prefix}/", feed)
    app = application(board) if not prefix else Application(rules(board, prefix), xsrf_cookies=True)
    server = HTTPServer(app, profile=app.profile)
    [server_socket] = _sockets()
    server.add_sockets([server_socket])
    try:
        yield Site(board, server_socket.getsockname()[1], prefix)
    finally:
        server.stop()
        await server.close_all_connections()
        await until(lambda: not feed.asks)


def _sockets() -> Any:
    import socket

    return [socket.create_server(("127.0.0.1", 0))]


def code(response: Response) -> tuple[int, str]:
    return response.status, json.loads(response.body)["error"]["code"]


PATHS = [
    ("GET", "/"),
    ("GET", "/events"),
    ("GET", "/static/js/main.js"),
    ("GET", "/static/nothing.js"),
    ("GET", "/api/7/stacks"),
    ("POST", "/api/7/cancel-task"),
    ("POST", "/"),
    ("PUT", "/api/7/stacks"),
    ("GET", "/nothing"),
    ("HEAD", "/"),
    ("OPTIONS", "/"),
]


@pytest.mark.parametrize("prefix", ["", "/_eyewall"])
def test_nothing_without_the_token_but_the_page_that_asks_for_it(run: Run, prefix: str) -> None:
    async def main() -> None:
        process = FakeProcess(7)
        async with site(process, prefix=prefix) as board:
            for method, path in PATHS:
                for cookie in ("", "board=", "board=" + "0" * 64, f"board={TOKEN}"):
                    answer = await board.fetch(path, method, headers=board.headers(Cookie=cookie))
                    assert answer.status in (401, 403), (method, path)
                    assert "Set-Cookie" not in answer.headers
                    if (method, path) == ("GET", "/"):
                        assert b"<form" in answer.body
                        assert board.board.gate.csrf.encode() not in answer.body
                    elif method != "HEAD":
                        assert json.loads(answer.body)["error"]["code"] in ("token", "csrf")
            assert process.asked == []

    run(main())


@pytest.mark.parametrize("prefix", ["", "/_eyewall"])
def test_the_token_gives_the_cookie_which_gives_the_page(run: Run, prefix: str) -> None:
    async def main() -> None:
        async with site(prefix=prefix) as board:
            bare = {"Host": board.host}
            for answer in (
                await board.fetch(f"/login?token={TOKEN}", headers=bare),
                await board.fetch(
                    "/login",
                    "POST",
                    f"token={TOKEN}".encode(),
                    {
                        **bare,
                        "Content-Type": "application/x-www-form-urlencoded",
                        "Origin": f"http://{board.host}",
                    },
                ),
            ):
                assert answer.status == 303
                assert answer.headers["Location"] == "./"
                cookie = answer.headers["Set-Cookie"]
                assert TOKEN not in cookie
                assert {"HttpOnly", "SameSite=Strict", f"Path={prefix}/"} <= set(cookie.split("; "))
                page = await board.fetch("/", headers={**bare, "Cookie": cookie.partition(";")[0]})
                assert page.status == 200
                assert f'content="{board.board.gate.csrf}"'.encode() in page.body
                assert b"{{" not in page.body
            for wrong in ("", "?token=", "?token=0123456789abcdeF", "?token=%ff", "?token=a&token=b"):
                answer = await board.fetch(f"/login{wrong}", headers=bare)
                assert answer.status == (403 if wrong else 200)
                assert "Set-Cookie" not in answer.headers
                assert TOKEN.encode() not in answer.body

    run(main())


def test_behind_tls_the_cookie_is_for_tls_only(run: Run) -> None:
    async def main() -> None:
        machine = Machine()
        board = Board(Gate(TOKEN), machine.directory)
        app = application(board)
        server = HTTPServer(app, profile=app.profile, protocol="https")
        [listening] = _sockets()
        server.add_sockets([listening])
        browser = Site(board, listening.getsockname()[1], "")
        answer = await browser.fetch(f"/login?token={TOKEN}", headers={"Host": browser.host})
        assert "Secure" in answer.headers["Set-Cookie"].split("; ")
        server.stop()
        await server.close_all_connections()

    run(main())


def test_every_answer_has_the_headers_that_keep_others_out(run: Run) -> None:
    async def main() -> None:
        async with site(FakeProcess(7)) as board:
            for path, status in (
                ("/", 200),
                ("/static/js/main.js", 200),
                ("/nothing", 404),
                ("/api/7/x", 404),
            ):
                answer = await board.fetch(path)
                assert answer.status == status
                for name, value in board.board.gate.fields().items():
                    if (path, name) != ("/static/js/main.js", "Cache-Control"):
                        assert answer.headers[name] == value, (path, name)

    run(main())


def test_a_name_that_leads_here_by_rebinding(run: Run) -> None:
    async def main() -> None:
        process = FakeProcess(7)
        async with site(process) as board:
            for method, path in [*PATHS, ("GET", f"/login?token={TOKEN}")]:
                answer = await board.fetch(path, method, headers=board.headers(Host="evil.example"))
                assert answer.status == 403
                assert method == "HEAD" or code(answer) == (403, "host")
                assert "Set-Cookie" not in answer.headers
            assert process.asked == []

    run(main())


def test_pages_of_others_can_not_ask(run: Run) -> None:
    async def main() -> None:
        process = FakeProcess(7)
        process.answers["stacks"] = {}
        async with site(process) as board:
            for headers in (
                {"Origin": "http://evil.example"},
                {"Origin": f"http://127.0.0.1:{board.port + 1}"},
                {"Origin": "null"},
                {"Sec-Fetch-Site": "cross-site"},
                # Another port of this machine is the same site, and has got the cookie.
                {"Sec-Fetch-Site": "same-site"},
            ):
                for method, path in (
                    ("GET", "/api/7/stacks"),
                    ("GET", "/events"),
                    ("GET", "/static/js/main.js"),
                    ("POST", "/api/7/cancel-task"),
                ):
                    answer = await board.fetch(path, method, ACT, board.headers(**headers))
                    assert code(answer) == (403, "origin")
            assert process.asked == []
            # To be led to the page, and to show it in a frame, is for the policy to allow.
            page = await board.fetch("/", headers=board.headers(Sec_Fetch_Site="same-site"))
            assert page.status == 200

    run(main())


def test_what_acts_needs_the_page_s_own_token(run: Run) -> None:
    async def main() -> None:
        process = FakeProcess(7)
        process.answers["cancel-task"] = {"cancelled": "x"}
        async with site(process, prefix="/_eyewall") as board:
            for wrong in ("", "0" * 64, TOKEN, board.board.gate.pass_):
                answer = await board.fetch(
                    "/api/7/cancel-task", "POST", ACT, board.headers(X_Eyewall_Token=wrong)
                )
                assert code(answer) == (403, "csrf")
            assert process.times("cancel-task") == 0
            answer = await board.fetch(
                "/api/7/cancel-task",
                "POST",
                ACT,
                board.headers(Origin=f"http://{board.host}", Sec_Fetch_Site="same-origin"),
            )
            assert (answer.status, json.loads(answer.body)) == (200, {"cancelled": "x"})
            assert process.asked[-1] == ("cancel-task", {"task": "1", "name": "x"})

    run(main())


def test_reading_does_not_act_and_acting_does_not_read(run: Run) -> None:
    async def main() -> None:
        process = FakeProcess(7)
        async with site(process) as board:
            assert code(await board.fetch("/api/7/cancel-task?task=1&name=x")) == (404, "unknown-command")
            assert code(await board.fetch("/api/7/stacks", "POST")) == (404, "unknown-command")
            assert code(await board.fetch("/api/7/profile-stop")) == (404, "unknown-command")
            assert {command for command, _ in process.asked} == {"process"}

    run(main())


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/8/stacks", (404, "no-process")),
        ("/api/-7/stacks", (404, "no-process")),
        ("/api/07x/stacks", (404, "no-process")),
        ("/api/99999999999999999999/stacks", (404, "no-process")),
        ("/api/all/stacks", (400, "arguments")),
        ("/api/7/stacks?limit=0", (400, "arguments")),
        ("/api/7/stacks?limit=1e9", (400, "arguments")),
        ("/api/7/stacks?limit=%d9%a1", (400, "arguments")),
        ("/api/7/stacks?colour=red", (400, "arguments")),
        ("/api/7/memory-sites?seconds=61", (400, "arguments")),
        ("/api/7/memory-sites?seconds=nan", (400, "arguments")),
        ("/api/7/history?since=-1", (400, "arguments")),
        ("/api/7/profile", (400, "arguments")),
        ("/api/7/open?contains=" + "x" * 1001, (400, "arguments")),
        ("/events?process=8", (404, "no-process")),
        ("/events?process=x", (404, "no-process")),
    ],
)
def test_what_makes_no_sense(run: Run, path: str, expected: tuple[int, str]) -> None:
    async def main() -> None:
        process = FakeProcess(7)
        async with site(process) as board:
            assert code(await board.fetch(path)) == expected
            assert {command for command, _ in process.asked} == {"process"}

    run(main())


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (400, "arguments")),
        (b"[]", (400, "malformed")),
        (b"{", (400, "malformed")),
        (b"\xff", (400, "malformed")),
        (b"[" * 50000, (400, "malformed")),
        (b'{"task": 1, "name": "x"}', (400, "arguments")),
        (b'{"task": "1", "name": "x", "more": 1}', (400, "arguments")),
    ],
    ids=range(7),
)
def test_content_that_makes_no_sense(run: Run, body: bytes, expected: tuple[int, str]) -> None:
    async def main() -> None:
        async with site(FakeProcess(7)) as board:
            assert code(await board.fetch("/api/7/cancel-task", "POST", body)) == expected

    run(main())


@pytest.mark.parametrize("prefix", ["", "/_eyewall"])
def test_content_that_is_too_large(run: Run, prefix: str) -> None:
    async def main() -> None:
        process = FakeProcess(7)
        async with site(process, prefix=prefix) as board:
            answer = await board.fetch("/api/7/cancel-task", "POST", b" " * (CONTENT + 1))
            assert answer.status == 413
            assert process.times("cancel-task") == 0

    run(main())


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ControlError("busy", "the loop"), 503),
        (ControlError("not-found", "none"), 404),
        (ControlError("unknown-command", "older"), 501),
        (ControlError("not-installed", "yappi"), 501),
        (ControlError("failed", "oh"), 502),
        (ControlError("too-large", "oh"), 502),
        (NoDoctor("no-doctor", "ended"), 410),
        (NoDoctor("not-allowed", "another's"), 403),
    ],
)
def test_what_a_process_refuses(run: Run, error: Any, status: int) -> None:
    async def main() -> None:
        process = FakeProcess(7)
        process.answers["stacks"] = error
        async with site(process) as board:
            answer = await board.fetch("/api/7/stacks")
            assert code(answer) == (status, error.code)
            assert json.loads(answer.body)["error"]["message"] == str(error)
            assert ("Retry-After" in answer.headers) == (status == 503)

    run(main())


def test_what_a_process_answers(run: Run) -> None:
    async def main() -> None:
        process = FakeProcess(7)
        process.answers.update(
            {"open": {"total": 3}, "profile": {"id": "abc"}, "memory-sites": {"sites": []}}
        )
        async with site(process) as board:
            answer = await board.fetch("/api/7/open?registry=requests&limit=5&contains=caf%C3%A9")
            assert json.loads(answer.body) == {"total": 3}
            assert process.asked[-1][1] == {"registry": "requests", "limit": 5, "contains": "café"}
            answer = await board.fetch("/api/7/profile", "POST", b'{"seconds": 2, "clock": "wall"}')
            assert json.loads(answer.body) == {"id": "abc"}
            assert process.asked[-1] == ("profile", {"seconds": 2.0, "clock": "wall"})
            await board.fetch("/api/7/profile?id=abc")
            assert process.asked[-1] == ("profile", {"id": "abc"})
            assert (await board.fetch("/api/7/memory-sites?seconds=1.5")).status == 200
            assert process.asked[-1] == ("memory-sites", {"seconds": 1.5})

    run(main())


def test_not_too_many_questions_at_once(run: Run) -> None:
    async def main() -> None:
        process = FakeProcess(7)
        async with site(process) as board:
            assert (await board.fetch("/api/7/stacks")).status == 501
            process.hangs = True
            # They would wait for their answers, were the process known to those who ask.
            asked = [asyncio.ensure_future(board.board.ask(7, "stacks", {}, 20)) for _ in range(QUESTIONS)]
            await until(lambda: process.times("stacks") == QUESTIONS + 1)
            with pytest.raises(ControlError, match="wait for their answers"):
                await board.board.ask(7, "stacks", {}, 20)
            for each in asked:
                each.cancel()
            await asyncio.wait(asked)

    run(main())


def test_the_stream(run: Run) -> None:
    async def main() -> None:
        async with site(FakeProcess(7)) as board:
            for which in ("7", "all"):
                async with board.stream(f"/events?process={which}") as reader:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode()
                    assert head.startswith("HTTP/1.1 200")
                    assert "text/event-stream" in head
                    kinds = set()
                    while kinds != {"processes", "findings", "history", "state"}:
                        found = re.match(rb"event: (\w+)", await reader.readline())
                        if found is not None:
                            kinds.add(found[1].decode())
                await until(lambda: not board.board.feed.viewers)

    run(main())


def test_not_too_many_streams(run: Run) -> None:
    async def main() -> None:
        async with site(FakeProcess(7), viewers=1) as board, board.stream("/events") as reader:
            await reader.readuntil(b"event: ")
            answer = await board.fetch("/events")
            assert code(answer) == (503, "busy")
            assert answer.headers["Retry-After"]

    run(main())


def test_a_viewer_that_does_not_read_is_sent_no_more_than_one_event_at_a_time(run: Run) -> None:
    async def main() -> None:
        process = FakeProcess(7)
        process.findings = [{"rule": "x" * 4_000_000}]
        async with site(process) as board, board.stream("/events?process=7") as reader:
            await reader.readuntil(b"event: ")
            await until(lambda: process.times("state") > 30)
            # It is still there: it was sent no more than it took, however long it took.
            assert board.board.feed.viewers == 1
            states = 0
            while True:
                line = await _line(reader)
                states += line == b"event: state"
                if states == 3:
                    break

    async def _line(reader: asyncio.StreamReader) -> bytes:
        while True:
            try:
                return (await reader.readuntil(b"\n")).strip()
            except asyncio.LimitOverrunError as error:
                await reader.readexactly(error.consumed)

    run(main())


@pytest.mark.parametrize(
    "path",
    ["/static/index.html", "/static/../handlers.py", "/static/js/..%2f..%2fhandlers.py", "/static/js/"],
)
def test_only_the_files_of_the_page_are_served(run: Run, path: str) -> None:
    async def main() -> None:
        async with site() as board:
            assert (await board.fetch(path)).status in (403, 404)

    run(main())


def test_files_are_asked_for_anew_and_not_sent_again(run: Run) -> None:
    async def main() -> None:
        async with site() as board:
            answer = await board.fetch("/static/js/main.js")
            assert answer.headers["Cache-Control"] == "no-cache"
            again = await board.fetch(
                "/static/js/main.js", headers=board.headers(If_None_Match=answer.headers["Etag"])
            )
            assert (again.status, again.body) == (304, b"")

    run(main())


def test_the_path_without_its_slash(run: Run) -> None:
    async def main() -> None:
        async with site(prefix="/ops/board") as board:
            answer = await board.fetch("")
            assert (answer.status, answer.headers["Location"]) == (302, "board/")

    run(main())


def test_a_fault_of_ours_tells_nothing_of_itself(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with site(FakeProcess(7)) as board:

            async def fails(*_: Any) -> None:
                raise RuntimeError("a secret")

            monkeypatch.setattr(board.board, "ask", fails)
            answer = await board.fetch("/api/7/stacks")
            assert code(answer) == (500, "failed")
            assert b"secret" not in answer.raw

    run(main())
