"""The receiving half of HTTP/1: bytes in, events out (RFC 9112).

    engine.feed(data)
    while (event := engine.next_event()) != NEED_DATA: ...

`HEAD`: `engine.head` is complete. `DATA`: `engine.data` is content. `END`: the message is over; nothing more comes
until `start_next`, so that the next pipelined message waits as bytes. `RemoteProtocolError` from `next_event`: the
peer broke the rules, it says how and with which status to answer; the engine takes nothing from then on.

States, and what takes the engine from one to the next:

    READING_HEAD --empty line--> LENGTH --all of it-------------------------> FINISHED --> DONE
                             |-> CHUNKED --last chunk and trailers--------------------/     |
                             |-> UNTIL_CLOSE --end of file (client only)--------------/  start_next
                             |-> FINISHED (no content)                                      |
                             |-> READING_HEAD (client: 1xx)                           READING_HEAD
                             '-> PASSED (client: 101, or 2xx to CONNECT)

    any --a rule broken--> FAILED         any --take_rest--> PASSED

Framing is decided in one place, `_frame`, and never twice: what RFC 9112 section 6.3 lets a recipient guess is
refused. Heads are read in `reader`, content in `content`.
"""

from __future__ import annotations

from eyewall.guard.profile import Profile
from eyewall.http.errors import RemoteProtocolError, TooManyInformational
from eyewall.http.h1.content import ContentReader
from eyewall.http.h1.events import DATA, END, HEAD, NEED_DATA
from eyewall.http.h1.head import Head
from eyewall.http.h1.limits import limits_of

__all__ = ["DATA", "END", "HEAD", "NEED_DATA", "H1Engine"]

_NEED_DATA = NEED_DATA
_HEAD = HEAD
_DATA = DATA
_END = END

_READING_HEAD = 0
_LENGTH = 1
_CHUNKED = 2
_UNTIL_CLOSE = 3
_FINISHED = 4
_DONE = 5
_PASSED = 6
_FAILED = 7


class H1Engine(ContentReader):
    """Takes the bytes of one connection in one direction and says what they mean.

    `profile`: limits and leniencies. `client`: read responses instead of requests. `body_limit` bounds the content
    of the current message and may be changed between its HEAD and its content; `start_next` sets it back.
    """

    __slots__ = ("_informational", "_requested", "_state")

    def __init__(self, profile: Profile, client: bool = False) -> None:
        super().__init__(limits_of(profile), client)
        self._state = _READING_HEAD
        self._informational = 0
        self._requested = "GET"

    # -- what the driver asks ---------------------------------------------------------------------------

    def buffered(self) -> int:
        """Returns the number of bytes fed and not yet consumed."""
        return len(self._buffer) - self._position

    def idle(self) -> bool:
        """Tells whether the engine stands before a message of which nothing has come."""
        return self._state == _READING_HEAD and not self._in_fields and self._position == len(self._buffer)

    def in_body(self) -> bool:
        """Tells whether the engine waits for content."""
        return _LENGTH <= self._state <= _UNTIL_CLOSE

    def received(self) -> int:
        """Returns how many bytes of the current message's content have come so far."""
        return self._body_received

    def skip_content(self, size: int) -> None:
        """Counts content of a known length that was read past the engine: `size` bytes of what is still to come.

        Only where everything that was fed is consumed. Raises RemoteProtocolError beyond `body_limit`.
        """
        if self._state != _LENGTH or not 0 <= size <= self._remaining or self.buffered():
            raise ValueError(f"{size} bytes of content can't have been read past the engine")
        try:
            self._bound_length()
        except RemoteProtocolError:
            self._state = _FAILED
            raise
        self._remaining -= size
        self._body_received += size
        if self._remaining == 0:
            self._state = _FINISHED

    def expect(self, method: str) -> None:
        """Client: says which request the next response answers (RFC 9112 section 6.3)."""
        self._requested = method

    def start_next(self) -> None:
        """Lets the next message begin. Only after END."""
        if self._state == _DONE:
            self.head = None
            self._informational = 0
            self._begin_head()
            self._begin_content()
            self._state = _READING_HEAD

    def take_rest(self) -> bytes:
        """Hands out every byte that was not consumed; the engine is over. For another protocol that takes on."""
        rest = self._buffer[self._position :]
        self._buffer = b""
        self._position = 0
        self._state = _PASSED
        return rest

    def feed_eof(self) -> int:
        """Says that the peer sends no more; returns END where that completes a message, else NEED_DATA.

        Raises RemoteProtocolError where it cuts a message off.
        """
        if self._state == _UNTIL_CLOSE:
            self._state = _DONE
            return _END
        # The start of an empty line before a request that never came is no message.
        between = self._state == _READING_HEAD and not self._in_fields and not self._client
        if (
            self._state <= _CHUNKED
            and not self.idle()
            and not (between and self._buffer[self._position :] == b"\r")
        ):
            self._state = _FAILED
            raise RemoteProtocolError(400, "the peer closed the connection in the middle of a message")
        return _NEED_DATA

    def next_event(self) -> int:
        """Returns the next event. Raises RemoteProtocolError where the peer broke the rules or a limit."""
        state = self._state
        try:
            if state == _READING_HEAD:
                if self._read_head():
                    self._frame()
                    return _HEAD
            elif state == _LENGTH:
                event = self._read_length()
                if self._remaining == 0:
                    self._state = _FINISHED
                return event
            elif state == _CHUNKED:
                event = self._read_chunked()
                if event == _END:
                    self._state = _DONE
                return event
            elif state == _UNTIL_CLOSE:
                return self._read_until_close()
            elif state == _FINISHED:
                self._state = _DONE
                return _END
        except RemoteProtocolError:
            self._state = _FAILED
            raise
        return _NEED_DATA

    # -- framing ----------------------------------------------------------------------------------------

    def _frame(self) -> None:
        """Decides how long the content is (RFC 9112 section 6.3): the only place that does."""
        head = self._head()
        if head.minor == 0 and not self._connection_seen:
            head.keep_alive = False
        if head.upgrade and not self._upgrade_seen:
            head.upgrade = False
        if self._transfer_encoding:
            if head.content_length >= 0:
                raise RemoteProtocolError(400, "Message with both Transfer-Encoding and Content-Length")
            if head.minor == 0 and (self._client or not self.limits.chunked_in_1_0):
                raise RemoteProtocolError(400, "Transfer-Encoding in an HTTP/1.0 message")
            head.chunked = True
        if self._client:
            self._frame_response(head)
        else:
            self._frame_request(head)

    def _frame_request(self, head: Head) -> None:
        if not self._host_seen and head.minor > 0 and not self.limits.missing_host:
            raise RemoteProtocolError(400, "no Host field")
        if head.authority and self._host_seen and head.host.lower() != head.authority.lower():
            raise RemoteProtocolError(400, "the Host field and the request target name different hosts")
        if (head.chunked or head.content_length > 0) and head.method == "CONNECT":
            # RFC 9110 section 9.3.6: what follows it is the tunnel's, say some.
            raise RemoteProtocolError(400, "CONNECT with content")
        if head.chunked:
            head.body = True
            self._state = _CHUNKED
        elif head.content_length > 0:
            head.body = True
            self._remaining = head.content_length
            self._state = _LENGTH
        else:
            self._state = _FINISHED
        if head.expect_continue and (not head.body or head.minor == 0):
            # RFC 9110 section 10.1.1: nothing to wait with, or a client that can't.
            head.expect_continue = False

    def _frame_response(self, head: Head) -> None:
        status = head.status
        if status < 200 and status != 101:
            self._informational += 1
            if self._informational > self.limits.informational_responses:
                raise TooManyInformational(self.limits.informational_responses)
            # Another head follows on this one, for the same request.
            self._begin_head()
        elif status == 101 or (self._requested == "CONNECT" and status < 300):
            self._state = _PASSED
        elif self._requested == "HEAD" or status == 304:
            self._state = _FINISHED
        elif status == 204:
            if head.chunked or head.content_length > 0:
                raise RemoteProtocolError(400, "Response with code 204 should not have body")
            self._state = _FINISHED
        elif head.chunked:
            head.body = True
            self._state = _CHUNKED
        elif head.content_length >= 0:
            head.body = head.content_length > 0
            self._remaining = head.content_length
            self._state = _LENGTH if head.body else _FINISHED
        else:
            head.body = True
            head.keep_alive = False
            self._state = _UNTIL_CLOSE
