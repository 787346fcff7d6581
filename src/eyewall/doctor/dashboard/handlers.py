"""The URLs of the dashboard. Nothing but the page that asks for the token is answered without it."""

from __future__ import annotations

import functools
import html
import json
from pathlib import Path
from typing import Any

from eyewall.base.errors import EyewallError
from eyewall.doctor.control.client import NoDoctor
from eyewall.doctor.control.protocol import ControlError
from eyewall.doctor.dashboard import commands
from eyewall.doctor.dashboard.board import Board
from eyewall.doctor.dashboard.feed import ALL, TooMany, Which
from eyewall.web.errors import HTTPError
from eyewall.web.handler import RequestHandler
from eyewall.web.sse import EventSourceHandler
from eyewall.web.static import StaticFileHandler

PAGE = Path(__file__).parent / "page"
#: Bytes of a request's content.
CONTENT = 64 * 1024
#: Digits of a process id.
_DIGITS = 10

_LOGIN = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Eyewall: token</title>
</head>
<body>
<main>
<h1>The dashboard of Eyewall</h1>
<p>{said}</p>
<form method="post" action="{action}">
<p><label>Token <input type="password" name="token" autocomplete="off" required autofocus></label>
<button>Open</button></p>
</form>
</main>
</body>
</html>
"""


class Refused(EyewallError):
    """A request that is answered with `status`, and a word to programs and one to people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        self.code = code
        super().__init__(message)


class Guarded(RequestHandler):
    """Answers only who has the token, by a name of ours, and from no other page."""

    #: Whether a page of another origin may lead here: for what is opened, and shown in frames.
    _may_be_opened = False

    _board: Board | None = None

    def initialize(self, board: Board) -> None:
        self._board = board
        # They were set before it was known which.
        self.set_default_headers()

    @property
    def board(self) -> Board:
        """Whose request this is."""
        assert self._board is not None
        return self._board

    def set_default_headers(self) -> None:
        if self._board is not None:
            for name, value in self._board.gate.fields().items():
                self.set_header(name, value)

    def check_xsrf_cookie(self) -> None:
        """The application's own protection is not for these URLs; `_check_acting` is."""

    def prepare(self) -> None:
        gate, headers = self.board.gate, self.request.headers
        host = headers.get("Host")
        if not gate.takes_host(host):
            self._refuse(Refused(403, "host", "this name does not lead to the dashboard: ask by an address"))
            return
        if len(self.request.body) > CONTENT:
            self._refuse(Refused(413, "too-large", f"content has at most {CONTENT} bytes"))
            return
        site = None if self._may_be_opened else headers.get("Sec-Fetch-Site")
        if not gate.takes_origin(headers.get("Origin"), host, site):
            self._refuse(Refused(403, "origin", "a page of another origin can't ask here"))
            return
        if self._needs_pass() and not gate.takes_pass(self.get_cookie(gate.cookie)):
            self._no_pass()
            return
        acts = self.request.method not in ("GET", "HEAD") and self._needs_pass()
        if acts and not gate.takes_csrf(headers.get("X-Eyewall-Token")):
            self._refuse(
                Refused(403, "csrf", "X-Eyewall-Token is missing, or of another page: load it again")
            )

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self._as_json("failed", self._reason)

    def _needs_pass(self) -> bool:
        return True

    def _no_pass(self) -> None:
        self._refuse(
            Refused(401, "token", "open the URL with the token that was printed where it was started")
        )

    def _refuse(self, error: Refused) -> None:
        self.set_status(error.status)
        if error.status == 503:
            self.set_header("Retry-After", "1")
        self._as_json(error.code, str(error))

    def _as_json(self, code: str, message: str) -> None:
        self.finish({"error": {"code": code, "message": message}})

    def _refuse_for(self, error: ControlError | NoDoctor) -> None:
        self._refuse(Refused(commands.STATUS.get(error.code, commands.FAILED), error.code, str(error)))

    def _process(self, text: str) -> int:
        """Returns the process that is meant. Raises Refused."""
        if text == ALL:
            raise Refused(400, "arguments", "this is asked of one process, not of all")
        if text.isascii() and text.isdigit() and len(text) <= _DIGITS:
            listed = self.board.feed.directory.find(int(text))
            if listed is not None:
                return listed.pid
        raise Refused(404, "no-process", f"process {text[:20]} is not shown here")


@functools.cache
def _page() -> str:
    return (PAGE / "index.html").read_text("utf-8")


class Page(Guarded):
    """The page; or the one that asks for the token."""

    _may_be_opened = True

    def get(self) -> None:
        self.set_header("Content-Type", "text/html; charset=utf-8")
        text = _page()  # eyewall: ignore[EW205] - once
        self.finish(text.replace("{{ csrf }}", self.board.gate.csrf))

    def _no_pass(self) -> None:
        if self.request.method == "GET":
            ask_for_token(self, "./login", 401)
        else:
            super()._no_pass()


class Slash(Guarded):
    """The root without its slash, from which nothing relative would be found."""

    _may_be_opened = True

    def get(self) -> None:
        self.redirect(self.request.path.rpartition("/")[2] + "/")

    def _needs_pass(self) -> bool:
        return False


class Login(Guarded):
    """Gives the cookie to who has the token."""

    _may_be_opened = True

    def _needs_pass(self) -> bool:
        return False

    def get(self) -> None:
        if "token" in self.request.query_arguments:
            self._take(self.request.query_arguments["token"])
        else:
            ask_for_token(self, "./login", 200)

    def post(self) -> None:
        self._take(self.request.body_arguments.get("token", []))

    def _take(self, given: list[bytes]) -> None:
        gate = self.board.gate
        if len(given) != 1 or not gate.takes_token(given[0].decode("utf-8", "replace")):
            ask_for_token(self, "./login", 403, "This is not the token.")
            return
        self.set_cookie(
            gate.cookie,
            gate.pass_,
            path=self.board.path,
            httponly=True,
            samesite="Strict",
            secure=self.request.protocol == "https",
        )
        self.set_status(303)
        # Relative, so that a proxy may have it under another path.
        self.set_header("Location", "./")
        self.finish()


class Static(Guarded, StaticFileHandler):
    """The files of the page."""

    def initialize(self, board: Board) -> None:  # type: ignore[override]  # each route has its own arguments
        Guarded.initialize(self, board)
        StaticFileHandler.initialize(self, str(PAGE))

    def set_extra_headers(self, path: str) -> None:
        # Asked for anew each time, and answered with 304: a new release has another page.
        self.set_header("Cache-Control", "no-cache")


class Events(Guarded, EventSourceHandler):
    """The stream."""

    RETRY = 2000
    #: One event is on its way at a time; what is bounded is that one.
    UNSENT_BYTES = 32 * 1024 * 1024

    async def stream(self) -> None:
        with self.board.feed.watching(self._which) as viewer:
            async for event in viewer:
                await self.send(event)

    async def get(self) -> None:
        self._which: Which
        try:
            text = self.get_query_argument("process", ALL)
            await self.board.feed.seen()
            self._which = ALL if text == ALL else self._process(text)
            self.board.feed.check()
        except TooMany as error:
            self._refuse(Refused(503, "busy", str(error)))
        except Refused as error:
            self._refuse(error)
        else:
            await super().get()


class Api(Guarded):
    """What a page asks of one process, and tells it to do."""

    async def get(self, pid: str, command: str) -> None:
        await self._ask(pid, command, commands.READING, self._query())

    async def post(self, pid: str, command: str) -> None:
        try:
            arguments = commands.body(self.request.body)
        except ControlError as error:
            self._refuse_for(error)
            return
        await self._ask(pid, command, commands.ACTING, arguments)

    def _query(self) -> dict[str, object]:
        return {name: self.get_query_argument(name) for name in self.request.query_arguments}

    async def _ask(
        self, pid: str, name: str, known: dict[str, commands.Command], given: dict[str, object]
    ) -> None:
        async def ask(process: int) -> Any:
            command = known.get(name)
            if command is None:
                raise Refused(404, "unknown-command", f"there is no {name[:50]!r}, only {', '.join(known)}")
            arguments = command.checked(name, given)
            return await self.board.ask(process, name, arguments, command.timeout(arguments))

        await self._answer(pid, ask)

    async def _answer(self, pid: str, ask: Any) -> None:
        try:
            await self.board.feed.seen()
            said = await ask(self._process(pid))
        except Refused as error:
            self._refuse(error)
        except (ControlError, NoDoctor) as error:
            self._refuse_for(error)
        else:
            self.set_header("Content-Type", "application/json; charset=utf-8")
            self.finish(json.dumps(said, separators=(",", ":")))


class Missing(Guarded):
    """What there is not."""

    def prepare(self) -> None:
        super().prepare()
        if not self._finished:
            raise HTTPError(404)


def ask_for_token(handler: RequestHandler, action: str, status: int, said: str = "") -> None:
    """Answers with the page that asks for the token."""
    handler.set_status(status)
    handler.set_header("Content-Type", "text/html; charset=utf-8")
    said = said or "Open the URL that was printed where the dashboard was started, or enter its token."
    handler.finish(_LOGIN.format(said=html.escape(said), action=action))
