"""Making one request: connection, head, content; redirects and second attempts; and reading the response.

A `Fetch` goes through these phases, and is one coroutine after the other in the task of whoever wants the response:

    open()      until the head of the final response is there: redirects are followed, challenges answered,
                informational responses skipped, and a request that a stale connection has swallowed is sent again
    piece()     its content, decompressed, in pieces, each when it is asked for
    end()       the connection goes back to the pool, or is closed when the content was not read to its end
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from eyewall.base.loggers import gen_log
from eyewall.client.connection import ClientConnection
from eyewall.client.contexts import ContextCache
from eyewall.client.dialing import dial
from eyewall.client.errors import MalformedResponse, ResponseHeadTooLarge, ServerDisconnected
from eyewall.client.login import Nonces, Proof
from eyewall.client.plan import Plan
from eyewall.client.pool import Pool
from eyewall.client.request import HTTPStreamClosedError
from eyewall.client.route import proxy_of, route_for
from eyewall.client.sending import Sending
from eyewall.guard.wheel import DeadlineWheel
from eyewall.http.decompress import BodyDecompressor
from eyewall.http.errors import HeadTooLarge, RemoteProtocolError
from eyewall.http.h1.engine import DATA, END, HEAD
from eyewall.http.h1.head import Head
from eyewall.http.headers import HTTPHeaders
from eyewall.net.resolver import Resolver

if TYPE_CHECKING:
    from eyewall.guard.profile import Profile

#: What many servers say of a connection: `Keep-Alive: timeout=5`.
_KEPT = re.compile(r"\btimeout=([0-9]{1,6})\b", re.ASCII)
#: The codings that a client undoes; others are left to the application.
_CODINGS = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}


class Surroundings:
    """What the requests of one client share. `profile` has the client's own limits in place of the general ones."""

    def __init__(self, profile: Profile, resolver: Resolver, loop: asyncio.AbstractEventLoop) -> None:
        self.profile = profile
        self.resolver = resolver
        self.loop = loop
        self.wheel = DeadlineWheel.of(loop)
        self.pool = Pool(profile, loop)
        self.contexts = ContextCache()
        self.nonces = Nonces()


class Fetch:
    """One request and its response; see the head of this file.

    `plan` is the request as it was sent last. After `open`: `head` is that of the response, `headers` its fields
    for the application. `times`: seconds that phases took, by name. Raises what is in `client.errors`.
    """

    def __init__(self, surroundings: Surroundings, plan: Plan) -> None:
        self.plan = plan
        self.head: Head | None = None
        self.headers = HTTPHeaders()
        self.times: dict[str, float] = {}
        self._shared = surroundings
        self._loop = surroundings.loop
        self._redirects: int = plan.options.max_redirects or 0 if plan.options.follow_redirects else 0
        self._connection: ClientConnection | None = None
        self._sending: Sending | None = None
        # What is shown to the server, and to a proxy that is asked for the whole URL.
        self._proof: Proof | None = None
        self._proxy_proof: Proof | None = None
        self._proxied = False
        #: All of the content was read.
        self._complete = False
        self._expander: BodyDecompressor | None = None
        self._expanding: Iterator[bytes] | None = None

    # -- until the head ---------------------------------------------------------------------------------

    async def open(self) -> Head:
        """Returns the head of the response that is not redirected any more."""
        self._prepare_proofs()
        while True:
            head = await self._attempts()
            if self._asked_again(head):
                await self._drop_content()
                continue
            location = head.find(b"location") if head.status < 400 else None
            url = self.plan.redirected(head.status, location) if self._redirects > 0 else None
            if url is None:
                break
            self._redirects -= 1
            await self._drop_content()
            self.plan.follow(head.status, url)
            self._prepare_proofs()
        self.head = head
        self._read_fields(head)
        return head

    def _prepare_proofs(self) -> None:
        plan, nonces = self.plan, self._shared.nonces
        proxy = None if plan.target.tls else proxy_of(plan.options)
        login = None if proxy is None else proxy.login
        self._proxied = proxy is not None
        self._proof = None if plan.login is None else Proof(plan.login, nonces, plan.target.origin)
        self._proxy_proof = None if proxy is None or login is None else Proof(login, nonces, proxy.place)

    def _asked_again(self, head: Head) -> bool:
        """Tells whether `head` asks for a proof that can be had: the request is to be made again then."""
        status = head.status
        if status == 401:
            proof, name = self._proof, "Www-Authenticate"
        elif status == 407:
            proof, name = self._proxy_proof, "Proxy-Authenticate"
        else:
            for shown, info in (
                (self._proof, b"authentication-info"),
                (self._proxy_proof, b"proxy-authentication-info"),
            ):
                if shown is not None:
                    shown.accepted(head.find(info))
            return False
        if proof is None or (self._sending is not None and self._sending.produced):
            # What a body_producer has written it cannot be asked for again.
            return False
        challenges = [value for field, value in head.fields() if field == name]
        return proof.refused(challenges, self.plan.content() is not None)

    async def _attempts(self) -> Head:
        """Makes the request as the plan stands, and once more where a connection of the pool was stale."""
        fresh = False
        while True:
            connection = await self._connect(fresh)
            self._connection = connection
            used = connection.served > 0
            try:
                return await self._request(connection)
            except ServerDisconnected:
                self.end()
                if not used or fresh or not self.plan.repeatable():
                    raise
                self._shared.pool.metrics.retried += 1
                fresh = True
            except BaseException:
                self.end()
                raise

    async def _connect(self, fresh: bool) -> ClientConnection:
        shared = self._shared
        route = route_for(self.plan.options, self.plan.target, shared.contexts)
        limit = self.plan.options.connect_timeout or None

        async def open_one() -> ClientConnection:
            made = await dial(
                route,
                lambda: ClientConnection(shared.loop, shared.wheel, shared.profile, shared.pool.lost),
                resolver=shared.resolver,
                profile=shared.profile,
                nonces=shared.nonces,
                timeout=limit,
            )
            made.server = route.place
            return made

        began = self._loop.time()
        connection = await shared.pool.acquire(route, open_one, fresh, limit)
        self.times["connect"] = self.times.get("connect", 0.0) + self._loop.time() - began
        return connection

    async def _request(self, connection: ClientConnection) -> Head:
        """Sends the request; returns the head of the final response to it."""
        plan, profile = self.plan, self._shared.profile
        raw, length = plan.head(
            self._shared.pool.keeps(), profile.client_token, self._proxied, self._proof, self._proxy_proof
        )
        began = self._loop.time()
        connection.begin(plan.method)
        self._sending = sending = Sending(connection, plan, raw, length, profile.client_continue_timeout)
        sending.start()
        while True:
            await self._event(HEAD)
            head = self._connection_head()
            if head.status == 101:
                raise self._refused("101 (Switching Protocols), which was not asked for")
            if head.status >= 200:
                break
            if head.status == 100:
                sending.go_on()
        sending.answered(head.status)
        self.times["starttransfer"] = self._loop.time() - began
        return head

    def _connection_head(self) -> Head:
        head = self._connection.engine.head if self._connection is not None else None
        if head is None:
            raise RuntimeError("there is no response")
        return head

    async def _event(self, wanted: int = -1) -> int:
        """Returns the next event of the response, END only once."""
        connection = self._connection
        if connection is None:
            raise RuntimeError("there is no response")
        try:
            event = await connection.next_event()
        except HeadTooLarge as error:
            raise self._refused(f"Unsatisfiable read: {error}", ResponseHeadTooLarge, "%.0s%.0s%s") from error
        except RemoteProtocolError as error:
            raise self._refused(str(error)) from error
        if wanted >= 0 and event != wanted:
            raise RuntimeError(f"event {event} in place of {wanted}")
        return event

    def _refused(
        self,
        reason: str,
        kind: type[MalformedResponse] = MalformedResponse,
        shape: str = "%s from %s: %s",
    ) -> MalformedResponse:
        """Logs what is wrong with the response, and returns the error for it."""
        shared = self._shared
        # Tornado does not know the name of the server here.
        server = None if shared.profile.terse_refusals else self.plan.target.authority
        gen_log.info(shape, "Malformed HTTP message", server, reason)
        return kind(f"malformed response: {reason}")

    # -- content ----------------------------------------------------------------------------------------

    def _read_fields(self, head: Head) -> None:
        fields = head.fields()
        coding = head.find(b"content-encoding") if head.body else None
        known = _CODINGS.get(coding.strip().lower()) if coding else None
        if known is not None and self.plan.options.decompress_response:
            profile = self._shared.profile
            self._expander = BodyDecompressor(
                known, max_bytes=profile.body_bytes, max_ratio=profile.client_decompression_ratio
            )
            renamed = "X-Consumed-Content-Encoding"
            fields = [(renamed if name == "Content-Encoding" else name, value) for name, value in fields]
        self.headers = HTTPHeaders.from_fields(fields)

    async def piece(self) -> bytes | None:
        """Returns the next piece of the content, decompressed where that was asked for; None at its end.

        At the end the connection is given back.
        """
        try:
            while True:
                if self._expanding is not None:
                    piece = next(self._expanding, None)
                    if piece is not None:
                        return piece
                    self._expanding = None
                if self._complete:
                    return None
                event = await self._event()
                if event == DATA:
                    if self._expander is None:
                        return self._data()
                    self._expanding = self._expander.feed(self._data())
                elif event == END:
                    if self._expander is not None:
                        self._expander.finish()
                    self._complete = True
                    self.end()
                    return None
        except RemoteProtocolError as error:
            raise self._refused(str(error)) from error

    async def content(self) -> bytes:
        """Returns what is left of the content in one."""
        pieces = []
        while (piece := await self.piece()) is not None:
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _data(self) -> bytes:
        connection = self._connection
        if connection is None:
            raise HTTPStreamClosedError("the response was closed")
        return connection.engine.data

    async def _drop_content(self) -> None:
        """Reads over the content of a redirect, if there is little, so that the connection can be kept."""
        left = self._shared.profile.client_unread_bytes
        head = self._connection_head()
        if self._shared.pool.keeps() and head.keep_alive and head.content_length <= left:
            try:
                while left >= 0 and (event := await self._event()) != END:
                    left -= len(self._data()) if event == DATA else 0
                self._complete = left >= 0
            except HTTPStreamClosedError:
                # What is wrong with content that nobody wants concerns the connection only.
                pass
        self.end()
        self._complete = False

    def end(self) -> None:
        """Gives the connection back. Without this, or before all content was read, it is closed."""
        connection, sending = self._connection, self._sending
        self._connection = self._sending = None
        if connection is None:
            return
        sent = sending is None or sending.finish()
        head = connection.engine.head
        if (
            self._complete
            and sent
            and head is not None
            and head.keep_alive
            and connection.engine.buffered() == 0
            and connection.waiting() == 0
        ):
            self._shared.pool.release(connection, _kept_for(head))
        else:
            self._shared.pool.discard(connection)


def _kept_for(head: Head) -> float:
    """Returns how long a server says that it keeps the connection, in seconds, less what may pass on the way."""
    told = head.find(b"keep-alive")
    found = _KEPT.search(told) if told is not None else None
    return math.inf if found is None else float(found[1]) - 1.0
