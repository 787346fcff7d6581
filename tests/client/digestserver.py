"""A server that asks for Digest authentication, and checks it by the formulas of the standard."""

from __future__ import annotations

import hmac
from typing import ClassVar

from eyewall.client.challenges import parse_challenges
from eyewall.web import RequestHandler, WebSocketHandler

from .test_digest import expected

USER, PASSWORD = "Us\u00e9r", "p\u00e4ss:word"


class Guard:
    """Knows the nonces that it has given out, and what was counted with each. A nonce is good for `uses` requests."""

    def __init__(self, challenge: str = "qop=auth", uses: int = 100, info: str = "") -> None:
        self.challenge = challenge
        self.uses = uses
        self.info = info
        #: What was decided of each request, in their order.
        self.seen: list[str] = []
        self._counts: dict[str, int] = {}

    def check(self, method: str, target: str, content: bytes, shown: str | None) -> str | None:
        """Returns None where a request may pass, and otherwise a challenge."""
        verdict = self._verdict(method, target, content, shown)
        self.seen.append(verdict)
        if verdict == "good":
            return None
        nonce = f"nonce{len(self._counts)}"
        self._counts[nonce] = 0
        stale = ", stale=true" if verdict == "stale" else ""
        return f'Digest realm="a, \\"b\\"", nonce={nonce}, opaque="x,y", {self.challenge}{stale}'

    def _verdict(self, method: str, target: str, content: bytes, shown: str | None) -> str:
        if not shown:
            return "asked"
        ((scheme, found),) = parse_challenges([shown])
        if (
            scheme != "digest"
            or found.get("uri") != target
            or found["opaque"] != "x,y"
            or found["realm"] != 'a, "b"'
        ):
            return "wrong"
        right = expected(found, USER.encode(), PASSWORD.encode(), method, content)
        if not hmac.compare_digest(found["response"], right):
            return "wrong"
        number = int(found["nc"], 16)
        last = self._counts.get(found["nonce"])
        if last is None or number > self.uses:
            return "stale"
        if number <= last:
            return "replayed"
        self._counts[found["nonce"]] = number
        return "good"


class Handler(RequestHandler):
    """Says what came to whoever may know."""

    guard: ClassVar[Guard]

    def prepare(self) -> None:
        request, guard = self.request, self.guard
        shown = request.headers.get("Authorization")
        challenge = guard.check(request.method or "", request.uri or "", request.body, shown)
        if challenge is not None:
            self.set_status(401)
            self.add_header("WWW-Authenticate", "Basic realm=x")
            self.add_header("WWW-Authenticate", challenge)
            self.finish("who are you?")
        elif guard.info:
            self.set_header("Authentication-Info", guard.info)

    def answer(self) -> None:
        self.write(f"{self.request.method} {self.request.uri} ".encode() + self.request.body)

    get = post = put = answer


class Socket(WebSocketHandler):
    """An echo, for those who may use it."""

    guard: ClassVar[Guard]

    def prepare(self) -> None:
        request = self.request
        challenge = self.guard.check("GET", request.uri or "", b"", request.headers.get("Authorization"))
        if challenge is not None:
            self.set_status(401)
            self.set_header("WWW-Authenticate", challenge)
            self.finish("who are you?")

    def on_message(self, message: str | bytes) -> None:
        self.write_message(message)
