# cython: auto_pickle=True
"""The response half of a handler: status, fields, what was written, and how it is sent.

Its attributes are a compiled class's, because every request reads and writes most of them; `RequestHandler` derives
from it and is an ordinary class. Response fields are `None` while nothing was set, a dict of what was set over the
defaults, or an `HTTPHeaders` once somebody needs one; see `web.response`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

from eyewall.base.clock import format_timestamp, unix_time
from eyewall.base.jsonencoder import json_encode
from eyewall.base.text import utf8
from eyewall.http.etags import matches_any
from eyewall.http.exchange import Exchange
from eyewall.http.headers import HTTPHeaders
from eyewall.http.names import lookup, spellings
from eyewall.http.requestcore import RequestCore
from eyewall.http.startline import ResponseStartLine, responses
from eyewall.loop.done import done_future
from eyewall.web.accounting import Account
from eyewall.web.response import Encoded, default_headers, encode_fields, encode_headers

if TYPE_CHECKING:
    import datetime

    from eyewall.guard.lifecycle.tasks import OwnedTasks
    from eyewall.http.request import HTTPServerRequest
    from eyewall.web.transforms import OutputTransform

try:
    from _sha1 import sha1 as _small_sha1  # type: ignore[import-not-found]
except ImportError:  # an interpreter built without it
    import hashlib

    _small_sha1 = hashlib.sha1
_spellings = spellings

HeaderValue: TypeAlias = "bytes | str | int | datetime.datetime"

#: `hashlib.sha1`, once there was a body that is not small: loading OpenSSL's digests takes half a MiB.
_sha1: Any = None
#: Up to this size the plain implementation beats the set-up of OpenSSL's.
_SMALL = 512
#: Entity tags by small bodies, and their header lines.
_etags: dict[bytes, str] = {}
_etag_lines: dict[str, bytes] = {}
_ETAGS_KEPT = 1000
_JSON = "application/json; charset=UTF-8"
#: The default fields that are encoded with the others only where a handler sets them.
_STANDING = frozenset(("Server", "Date"))
_DEFAULT_NAMES = frozenset(("Server", "Content-Type", "Date"))
#: The fields that describe content, which a response without content must not have.
_CONTENT_FIELDS = ("Content-Encoding", "Content-Language", "Content-Type")


class Reply:
    """What a handler answers. `application` and `request` are whose answer it is, and to what.

    `path_args`, `path_kwargs`: what the route's groups matched, decoded.
    """

    application: Any
    request: HTTPServerRequest
    path_args: list[Any]
    path_kwargs: dict[str, Any]

    def _begin(self, application: Any, request: HTTPServerRequest, **kwargs: Any) -> None:
        """What `RequestHandler.__init__` is; that of a compiled class itself does not tell its parameters."""
        self.application = application
        self.request = request
        self.path_args = []
        self.path_kwargs = {}
        self._fields: dict[str, str] | None = None
        self._etag: str | None = None
        self._header_object: HTTPHeaders | None = None
        self._write_buffer: list[bytes] = []
        self._new_cookies: dict[str, str] | None = None
        self._status_code = 200
        self._reason = "OK"
        self._headers_written = False
        self._finished = False
        self._auto_finish = True
        self._in_error = False
        #: What a streaming handler waits for: its content has come, or is not needed any more.
        self._body_done: asyncio.Future[None] | None = None
        self._transforms: list[OutputTransform] | None = None
        #: What the handler has spawned, once it has.
        self._tasks: OwnedTasks | None = None
        #: Where its request is counted, where somebody wants to know; the request; what it does besides running.
        self._account: Account | None = None
        self._counted: RequestCore | None = None
        self._queued = 0.0
        self._steps: object = None
        self.set_default_headers()
        # RequestHandler has it, where its type can be loose enough for overrides.
        if kwargs:
            self.initialize(**kwargs)  # type: ignore[attr-defined]
        else:
            self.initialize()  # type: ignore[attr-defined]

    # -- what applications override ---------------------------------------------------------------------

    def set_default_headers(self) -> None:
        """Sets fields at the start of a response, and again when an error starts it anew."""

    def on_finish(self) -> None:
        """Called when the response is written. It can't send anything any more."""

    # -- status and fields ------------------------------------------------------------------------------

    def clear(self) -> None:
        """Starts the response anew: status, fields and everything written."""
        self._fields = None
        self._etag = None
        self._header_object = None
        self._write_buffer = []
        self._status_code = 200
        self._reason = "OK"
        self.set_default_headers()

    @property
    def _headers(self) -> HTTPHeaders:
        """The fields of the response, defaults included."""
        headers = self._header_object
        if headers is None:
            headers = default_headers()
            if self._etag is not None:
                headers["Etag"] = self._etag
                self._etag = None
            if self._fields is not None:
                for name, value in self._fields.items():
                    headers[name] = value
                self._fields = None
            self._header_object = headers
        return headers

    @_headers.setter
    def _headers(self, value: HTTPHeaders) -> None:
        self._header_object = value
        self._fields = None
        self._etag = None

    def set_status(self, status_code: int, reason: str | None = None) -> None:
        """Sets the status; `reason` replaces the registered phrase.

        A `reason` that could end the status line early, or that holds markup, becomes "Unknown": it often comes
        from outside. Raises ValueError for a `status_code` that is no number.
        """
        if reason is None:
            reason = responses.get(status_code, "Unknown")
        else:
            reason = _reason_phrase(reason)
        self._status_code = int(status_code)
        self._reason = reason

    def get_status(self) -> int:
        """Returns the status of the response as it stands."""
        return self._status_code

    def set_header(self, name: str, value: HeaderValue) -> None:
        """Sets the field `name` to `value`, in place of what it had. Raises ValueError for a name or value that
        would end the field early.

        A datetime is written as HTTP writes dates, an int in decimal; bytes are taken as they are.
        """
        text = _JSON if value is _JSON else self._convert_header_value(value)
        spelled = _spellings.get(name) or _spelled(name)
        headers = self._header_object
        if headers is not None:
            headers[spelled] = text
            return
        fields = self._fields
        if fields is None:
            fields = self._fields = {}
        if self._etag is not None and spelled == "Etag":
            self._etag = None
        if spelled in _STANDING:
            self._headers[spelled] = text
        else:
            fields[spelled] = text

    def add_header(self, name: str, value: HeaderValue) -> None:
        """Adds a field of `name` and `value`, besides those of the same name. Raises like `set_header`."""
        text = self._convert_header_value(value)
        self._headers.add(_spelled(name), text, _chars_are_bytes=False)

    def clear_header(self, name: str) -> None:
        """Removes the field `name`, a default one included; one that is not there is no error."""
        headers = self._header_object
        name = lookup(name) or name
        if headers is None:
            if name not in _DEFAULT_NAMES:
                if name == "Etag":
                    self._etag = None
                if self._fields is not None:
                    self._fields.pop(name, None)
                return
            headers = self._headers
        if name in headers:
            del headers[name]

    def _convert_header_value(self, value: HeaderValue) -> str:
        """Returns a header value as text. Raises ValueError for control characters, TypeError for other types."""
        if isinstance(value, str):
            text = value
        elif isinstance(value, bytes):
            text = value.decode("latin1")
        elif isinstance(value, int):
            return str(value)
        else:
            # Most programs never load it.
            import datetime

            if isinstance(value, datetime.datetime):
                return format_timestamp(value)
            raise TypeError(f"Unsupported header value {value!r}")
        if _has_control(text):
            raise ValueError(f"Unsafe header value {text!r}")
        return text.strip(" \t")

    def _header(self, name: str) -> str | None:
        """Returns what the response's field `name` (in its usual spelling) is set to, None where it is not."""
        headers = self._header_object
        if headers is not None:
            return headers.get(name)
        if self._etag is not None and name == "Etag":
            return self._etag
        fields = self._fields
        found = fields.get(name) if fields is not None else None
        if found is None and name in _DEFAULT_NAMES:
            return self._headers.get(name)
        return found

    # -- writing ----------------------------------------------------------------------------------------

    def write(self, chunk: str | bytes | dict[Any, Any]) -> None:
        """Adds `chunk` to the response. A dict is written as JSON and sets the Content-Type.

        Nothing is sent before `flush` or `finish`. Raises TypeError for anything else (a list, too: as the whole
        of a JSON document it was once readable across sites), RuntimeError after `finish`.
        """
        if self._finished:
            raise RuntimeError("Cannot write() after finish()")
        if type(chunk) is bytes:
            self._write_buffer.append(chunk)
            return
        if isinstance(chunk, dict):
            text = json_encode(chunk)
            self.set_header("Content-Type", _JSON)
            self._write_buffer.append(text.encode("ascii"))
            return
        if not isinstance(chunk, bytes | str):  # whatever the annotation says
            message = "write() only accepts bytes, unicode, and dict objects"  # type: ignore[unreachable]
            if isinstance(chunk, list):
                message += ". Lists not accepted for security reasons; wrap the list in a dict, or encode it yourself"
            raise TypeError(message)
        self._write_buffer.append(utf8(chunk))

    def flush(self, include_footers: bool = False) -> asyncio.Future[None]:
        """Sends what was written so far, after the head if that was not sent.

        Await the result to let the client catch up: it is done when the buffer has room. It fails with
        StreamClosedError where the client has left. `include_footers`: whether this is the end of the response,
        which `finish` says and programs do not.
        """
        chunk = b"".join(self._write_buffer)
        self._write_buffer = []
        if not self._headers_written:
            self._headers_written = True
            if self._transforms:
                for transform in self._transforms:
                    self._status_code, self._headers, chunk = transform.transform_first_chunk(
                        self._status_code, self._headers, chunk, include_footers
                    )
            return self._send_whole(chunk) if include_footers else self._send_first(chunk)
        if self._transforms:
            for transform in self._transforms:
                chunk = transform.transform_chunk(chunk, include_footers)
        if self._method() == "HEAD" or not chunk:
            return done_future()
        written: asyncio.Future[None] = self.request.connection.write(chunk)
        return written

    def finish(self, chunk: str | bytes | dict[Any, Any] | None = None) -> asyncio.Future[None]:
        """Ends the response, with a last `chunk` if there is one. Returns what `flush` does.

        Raises RuntimeError when the response is finished already.
        """
        if self._finished:
            raise RuntimeError("finish() called twice")
        if chunk is not None:
            self.write(chunk)
        if self._headers_written:
            future = self.flush(include_footers=True)
            self.request.connection.finish()
        else:
            code = self._status_code
            if code == 200 and self._is_get():
                self.set_etag_header()
                if self.check_etag_header():
                    self._write_buffer = []
                    self.set_status(304)
                    code = 304
            if code == 304 or code == 204 or 100 <= code < 200:
                if self._write_buffer:
                    if not self._in_error:
                        raise RuntimeError(f"Cannot send body with {code}")
                    # The page of an error whose status allows none.
                    self._write_buffer = []
                self._clear_representation_headers()
            if self._transforms:
                future = self.flush(include_footers=True)
            else:
                self._headers_written = True
                buffer = self._write_buffer
                body = buffer[0] if len(buffer) == 1 else b"".join(buffer)
                self._write_buffer = []
                future = self._send_whole(body)
        self._finished = True
        if self._account is not None:
            self._note()
        body_done = self._body_done
        if body_done is not None and not body_done.done():
            body_done.set_result(None)
        try:
            self._log()
            self.on_finish()
        finally:
            if self._tasks is not None:
                self._tasks.end()
        return future

    def _is_get(self) -> bool:
        method = self._method()
        return method == "GET" or method == "HEAD"

    def _method(self) -> str:
        request: object = self.request
        if isinstance(request, RequestCore):
            core: RequestCore = request
            return core.method
        return self.request.method

    def _connection(self) -> Any:
        request: object = self.request
        if isinstance(request, RequestCore):
            core: RequestCore = request
            return core.connection
        return self.request.connection

    def _count(self) -> None:
        """Counts the request, once, for `RequestHandler`, which is not compiled."""
        self._note()

    def _note(self) -> None:
        # Not by way of variables, of which compiled code counts the references.
        if self._account is None or self._counted is None:
            return
        if (
            self._steps is not None
            or self._queued > 0.0
            or self._counted._ready_time > 0.0
            or not self._account.likens(self._counted.method, self._status_code)
        ):
            self._account.note(
                self._counted.method,
                self._status_code,
                unix_time(),
                self._counted._start_time,
                self._counted._ready_time,
                self._queued,
                self._steps,
            )
        self._account = None

    def _log(self) -> None:
        """Has the application log the request, once it is finished."""
        self.application.log_request(self)

    def _clear_representation_headers(self) -> None:
        """Drops the fields that describe content, of a response whose status has none."""
        for name in _CONTENT_FIELDS:
            self.clear_header(name)

    # -- sending ----------------------------------------------------------------------------------------

    def _encode(self) -> Encoded:
        headers = self._header_object
        if headers is None:
            etag = self._etag
            return encode_fields(
                self._fields, self._new_cookies, _etag_line(etag) if etag is not None else b""
            )
        return encode_headers(headers, self._new_cookies)

    def _send_whole(self, body: bytes) -> asyncio.Future[None]:
        """Sends a response that is complete. Returns a future for its being taken."""
        connection = self._connection()
        code = self._status_code
        bodiless = code == 204 or code == 304 or code < 200
        if type(connection) is not Exchange:
            if not bodiless and "Content-Length" not in self._headers:
                self._headers["Content-Length"] = str(len(body))
            future: asyncio.Future[None] = self._start_elsewhere(
                connection, b"" if self._method() == "HEAD" else body
            )
            connection.finish()
            return future
        exchange: Exchange = connection
        encoded = self._encode()
        if encoded.close:
            exchange.close_after = True
        length = encoded.length
        if bodiless:
            # A 304 may announce what another status would have carried (RFC 9110 section 8.6).
            if code != 304:
                length = -1
        elif length < 0:
            length = len(body)
        elif length != len(body) and self._method() != "HEAD":
            # Less or more than was announced: the exchange knows how to end that.
            exchange.start(code, self._reason, encoded.block, length, body)
            exchange.finish()
            return done_future()
        block = encoded.block
        if encoded.coding and exchange.carrier.profile.stated_transfer_encoding:
            block += encoded.coding
        exchange.respond(code, self._reason, block, body, length)
        return exchange.carrier.drained()

    def _send_first(self, chunk: bytes) -> asyncio.Future[None]:
        """Sends the head of a response whose body follows, and its first piece."""
        connection = self._connection()
        if type(connection) is not Exchange:
            started: asyncio.Future[None] = self._start_elsewhere(connection, chunk)
            return started
        exchange: Exchange = connection
        encoded = self._encode()
        if encoded.close:
            exchange.close_after = True
        return exchange.start(self._status_code, self._reason, encoded.block, encoded.length, chunk)

    def _start_elsewhere(self, connection: Any, chunk: bytes) -> Any:
        """Sends the head over a connection that is not ours, through the public interface."""
        headers = self._headers.copy()
        if self._new_cookies is not None:
            for cookie in self._new_cookies.values():
                headers.add("Set-Cookie", cookie)
        return connection.write_headers(
            ResponseStartLine("", self._status_code, self._reason), headers, chunk
        )

    # -- entity tags ------------------------------------------------------------------------------------

    def compute_etag(self) -> str | None:
        """Returns the entity tag of what was written, None for none."""
        buffer = self._write_buffer
        if len(buffer) == 1:
            body = buffer[0]
            if len(body) <= _SMALL:
                etag = _etags.get(body)
                return etag if etag is not None else _remember_etag(body)
        if _sha1 is None:
            _load_sha1()
        digest = _sha1(usedforsecurity=False)
        for part in buffer:
            digest.update(part)
        return f'"{digest.hexdigest()}"'

    def set_etag_header(self) -> None:
        """Sets the Etag field from `compute_etag`."""
        etag = self.compute_etag()
        if etag is not None:
            if self._header_object is None and etag in _etag_lines:
                # It was made here, so it needs no check; and its line stands ready.
                self._etag = etag
            else:
                self.set_header("Etag", etag)

    def check_etag_header(self) -> bool:
        """Tells whether the client has what would be sent (If-None-Match, RFC 9110 section 13.1.2)."""
        stated = self._find_request_header(b"if-none-match")
        if not stated:
            return False
        etag = self._header("Etag")
        return etag is not None and matches_any(stated, etag)

    def _find_request_header(self, name: bytes) -> str | None:
        request: object = self.request
        if isinstance(request, RequestCore):
            core: RequestCore = request
            return core.find_header(name)
        # A stand-in for a request, as tests make them.
        return self.request.headers.get(name.decode("ascii"))


def _load_sha1() -> None:
    global _sha1
    from hashlib import sha1

    _sha1 = sha1


def _remember_etag(body: bytes) -> str:
    """Makes the entity tag of a small body. Small bodies recur: the last thousand tags are kept, with their line."""
    etag = f'"{_small_sha1(body).hexdigest()}"'
    if len(_etags) >= _ETAGS_KEPT:
        _etags.clear()
        _etag_lines.clear()
    _etags[body] = etag
    _etag_lines[etag] = f"Etag: {etag}\r\n".encode("ascii")
    return etag


def _etag_line(etag: str) -> bytes:
    line = _etag_lines.get(etag)
    return line if line is not None else f"Etag: {etag}\r\n".encode("ascii")


def _has_control(text: str) -> bool:
    for char in text:
        if (char < " " and char != "\t") or char == "\x7f":
            return True
    return False


def _reason_phrase(reason: str | bytes) -> str:
    """Returns a reason phrase that can be written, also into a page."""
    text = reason.decode("latin-1") if isinstance(reason, bytes) else reason
    if _has_control(text) or "<" in text:
        return "Unknown"
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return "Unknown"
    return text


def _spelled(name: str) -> str:
    """Returns the usual spelling of a header name. Raises ValueError for what is none."""
    found = lookup(name)
    if found is None:
        raise ValueError(f"Invalid header name {name!r}")
    return found
