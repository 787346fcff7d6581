"""`RequestHandler`: one request, one instance.

This file has the life of a handler: how it begins, writes and ends. What it can do besides (arguments, cookies,
XSRF, users, templates, locales) stands in the mixins, which cost nothing where they are not used.

A handler starts with class-level defaults and gets its own attributes as it changes them. Its response fields are
`None` (nothing set), a dict of what was set over the defaults, or an `HTTPHeaders` once somebody needs one; see
`web.response`.
"""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import traceback
from collections.abc import Awaitable
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar

from eyewall.web.localization import LocaleMixin
from eyewall.web.rendering import RenderingMixin

from eyewall.base.clock import format_timestamp
from eyewall.base.escape import json_encode, utf8, xhtml_escape
from eyewall.base.loggers import app_log, gen_log
from eyewall.http.errors import HTTPInputError, RemoteProtocolError
from eyewall.http.etags import matches_any
from eyewall.http.headers import HTTPHeaders
from eyewall.http.names import normalized
from eyewall.http.startline import responses
from eyewall.loop.done import done_future
from eyewall.web import response
from eyewall.web.arguments import ArgumentsMixin
from eyewall.web.auth import AuthMixin
from eyewall.web.cookies import CookiesMixin
from eyewall.web.errors import Finish, HTTPError, MissingArgumentError
from eyewall.web.xsrf import XsrfMixin

if TYPE_CHECKING:
    from eyewall.http.request import HTTPServerRequest
    from eyewall.web.transforms import OutputTransform

HeaderValue = bytes | str | int | datetime.datetime
#: The current description of an error, as `sys.exc_info` gives it.
ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]

_sha1 = hashlib.sha1
_JSON = "application/json; charset=UTF-8"
_DEFAULT_NAMES = frozenset(("Server", "Content-Type", "Date"))
#: The fields that describe content, which a response without content must not have.
_CONTENT_FIELDS = ("Content-Encoding", "Content-Language", "Content-Type")


class RequestHandler(
    ArgumentsMixin, CookiesMixin, XsrfMixin, AuthMixin, LocaleMixin, RenderingMixin
):
    """Base of the classes that answer requests: subclasses define a method for each HTTP method they support.

    The order of calls is `initialize` (with the keyword arguments of the route), `prepare`, the method named like
    the request's, `on_finish`. `prepare` and the verbs may be coroutines. A verb that returns without `finish`
    finishes the response; `on_connection_close` is called instead where the client leaves before that.

    Attributes: `application`, `request`, `path_args` and `path_kwargs` (what the route's groups matched).
    """

    SUPPORTED_METHODS: ClassVar[tuple[str, ...]] = ("GET", "HEAD", "POST", "DELETE", "PATCH", "PUT", "OPTIONS")

    application: Any
    request: HTTPServerRequest
    path_args: list[str] = []
    path_kwargs: dict[str, str] = {}

    _fields: dict[str, str] | None = None
    _header_object: HTTPHeaders | None = None
    _status_code = 200
    _reason = "OK"
    _headers_written = False
    _finished = False
    _auto_finish = True
    _transforms: list[OutputTransform] | None = None
    #: Set by the decorator `stream_request_body`.
    _stream_request_body: ClassVar[bool] = False

    def __init__(self, application: Any, request: HTTPServerRequest, **kwargs: Any) -> None:
        super().__init__()
        self.application = application
        self.request = request
        self._write_buffer: list[bytes] = []
        self.set_default_headers()
        self.initialize(**kwargs)

    # -- what applications override ---------------------------------------------------------------------

    def initialize(self) -> None:
        """Called with the keyword arguments of the route, which an override names."""

    def prepare(self) -> Awaitable[None] | None:
        """Called before the verb, whatever the method; may be a coroutine, and may finish the response."""
        return None

    def on_finish(self) -> None:
        """Called when the response is written. It can't send anything any more."""

    def on_connection_close(self) -> None:
        """Called when the client left before the response was finished."""

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Takes a piece of the request's content, in a class with `stream_request_body`; may be a coroutine."""
        raise NotImplementedError

    def set_default_headers(self) -> None:
        """Sets fields at the start of a response, and again when an error starts it anew."""

    def head(self, *args: Any, **kwargs: Any) -> Any:
        """Answers HEAD. Like the other verbs not overridden: 405."""
        raise HTTPError(405)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """Answers GET."""
        raise HTTPError(405)

    def post(self, *args: Any, **kwargs: Any) -> Any:
        """Answers POST."""
        raise HTTPError(405)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        """Answers DELETE."""
        raise HTTPError(405)

    def patch(self, *args: Any, **kwargs: Any) -> Any:
        """Answers PATCH."""
        raise HTTPError(405)

    def put(self, *args: Any, **kwargs: Any) -> Any:
        """Answers PUT."""
        raise HTTPError(405)

    def options(self, *args: Any, **kwargs: Any) -> Any:
        """Answers OPTIONS."""
        raise HTTPError(405)

    # -- status and fields ------------------------------------------------------------------------------

    def clear(self) -> None:
        """Starts the response anew: status, fields and everything written."""
        self._fields = None
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
            headers = response.default_headers()
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

    def set_status(self, status_code: int, reason: str | None = None) -> None:
        """Sets the status; `reason` replaces the registered phrase and may have no control characters."""
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
        """Sets a field, in place of what it had. Raises ValueError for what would end the field early.

        A datetime is written as HTTP writes dates, an int in decimal; bytes are taken as UTF-8.
        """
        text = value if type(value) is str and value.isprintable() else self._convert_header_value(value)
        headers = self._header_object
        if headers is not None:
            headers[name] = text
            return
        fields = self._fields
        if fields is None:
            fields = self._fields = {}
        fields[normalized(name)] = text

    def add_header(self, name: str, value: HeaderValue) -> None:
        """Adds a field, besides those of the same name. Raises like `set_header`."""
        self._headers.add(name, self._convert_header_value(value))

    def clear_header(self, name: str) -> None:
        """Removes a field, a default one included; one that is not there is no error."""
        headers = self._header_object
        name = normalized(name)
        if headers is None:
            if name not in _DEFAULT_NAMES:
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
        elif isinstance(value, datetime.datetime):
            return format_timestamp(value)
        else:
            raise TypeError(f"Unsupported header value {value!r}")
        if not text.isprintable() and any((char < " " and char != "\t") or char == "\x7f" for char in text):
            raise ValueError(f"Unsafe header value {text!r}")
        return text

    def _header(self, name: str) -> str | None:
        """Returns what the response's field `name` (in its usual spelling) is set to, None where it is not."""
        headers = self._header_object
        if headers is not None:
            return headers.get(name)
        fields = self._fields
        found = fields.get(name) if fields is not None else None
        if found is None and name in _DEFAULT_NAMES:
            return self._headers.get(name)
        return found

    # -- writing ----------------------------------------------------------------------------------------

    def write(self, chunk: str | bytes | dict[Any, Any]) -> None:
        """Adds to the response. A dict is written as JSON and sets the Content-Type.

        Nothing is sent before `flush` or `finish`. Raises TypeError for anything else (a list, too: as the whole
        of a JSON document it was once readable across sites), RuntimeError after `finish`.
        """
        if self._finished:
            raise RuntimeError("Cannot write() after finish()")
        if type(chunk) is bytes:
            self._write_buffer.append(chunk)
            return
        if isinstance(chunk, dict):
            chunk = json_encode(chunk)
            self.set_header("Content-Type", _JSON)
        elif not isinstance(chunk, bytes | str):
            message = "write() only accepts bytes, unicode, and dict objects"
            if isinstance(chunk, list):
                message += ". Lists not accepted for security reasons; wrap the list in a dict, or encode it yourself"
            raise TypeError(message)
        self._write_buffer.append(utf8(chunk))

    def flush(self, include_footers: bool = False) -> asyncio.Future[None]:
        """Sends what was written so far, after the head if that was not sent.

        Await the result to let the client catch up: it is done when the buffer has room. It fails with
        StreamClosedError where the client has left.
        """
        chunk = b"".join(self._write_buffer)
        self._write_buffer = []
        method = self.request.method
        if not self._headers_written:
            self._headers_written = True
            if self._transforms:
                for transform in self._transforms:
                    self._status_code, self._headers, chunk = transform.transform_first_chunk(
                        self._status_code, self._headers, chunk, include_footers
                    )
            if include_footers:
                return response.send_whole(self, chunk)
            return response.send_first(self, chunk)
        if self._transforms:
            for transform in self._transforms:
                chunk = transform.transform_chunk(chunk, include_footers)
        if method == "HEAD" or not chunk:
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
            if code == 200:
                method = self.request.method
                if method == "GET" or method == "HEAD":
                    self.set_etag_header()
                    if self.check_etag_header():
                        self._write_buffer = []
                        self.set_status(304)
                        code = 304
            if code == 304 or code == 204 or 100 <= code < 200:
                if self._write_buffer:
                    raise RuntimeError(f"Cannot send body with {code}")
                self._clear_content_fields()
            if self._transforms:
                future = self.flush(include_footers=True)
            else:
                self._headers_written = True
                buffer = self._write_buffer
                body = buffer[0] if len(buffer) == 1 else b"".join(buffer)
                self._write_buffer = []
                future = response.send_whole(self, body)
        self._finished = True
        self._log()
        self.on_finish()
        return future

    def _clear_content_fields(self) -> None:
        for name in _CONTENT_FIELDS:
            self.clear_header(name)

    def _log(self) -> None:
        """Has the application log the request, once it is finished."""
        self.application.log_request(self)

    def _request_summary(self) -> str:
        request = self.request
        return f"{request.method} {request.uri} ({request.remote_ip})"

    def redirect(self, url: str, permanent: bool = False, status: int | None = None) -> None:
        """Answers with a redirect to `url`, which may be relative.

        302, or 301 when `permanent`, or any other `status` from 300 to 399. Raises ValueError for another one,
        RuntimeError when the head is sent already.
        """
        if self._headers_written:
            raise RuntimeError("Cannot redirect after headers have been written")
        if status is None:
            status = 301 if permanent else 302
        elif not 300 <= status <= 399:
            raise ValueError(f"{status} is not the status of a redirect")
        self.set_status(status)
        self.set_header("Location", utf8(url))
        self.finish()

    def detach(self) -> Any:
        """Takes the connection over, for another protocol: the handler is finished, its response too.

        Returns what the connection's `detach` does.
        """
        self._finished = True
        return self.request.connection.detach()

    # -- entity tags ------------------------------------------------------------------------------------

    def compute_etag(self) -> str | None:
        """Returns the entity tag of what was written, None for none."""
        buffer = self._write_buffer
        if len(buffer) == 1:
            return f'"{_sha1(buffer[0], usedforsecurity=False).hexdigest()}"'
        digest = _sha1(usedforsecurity=False)
        for part in buffer:
            digest.update(part)
        return f'"{digest.hexdigest()}"'

    def set_etag_header(self) -> None:
        """Sets the Etag field from `compute_etag`."""
        etag = self.compute_etag()
        if etag is not None:
            self.set_header("Etag", etag)

    def check_etag_header(self) -> bool:
        """Tells whether the client has what would be sent (If-None-Match, RFC 9110 section 13.1.2)."""
        stated = self.request.find_header(b"if-none-match")
        if not stated:
            return False
        etag = self._header("Etag")
        return etag is not None and matches_any(stated, etag)

    # -- errors -----------------------------------------------------------------------------------------

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Answers with an error. `write_error` writes the page, with `kwargs`; `reason` replaces the phrase.

        Where part of a response was sent already, it is ended as well as it can be.
        """
        if self._headers_written:
            gen_log.error("Cannot send error response after headers written")
            if not self._finished:
                # The rest of what was announced can't follow: an end that looks whole would deceive the client.
                try:
                    self.finish()
                except Exception:
                    gen_log.error("Failed to flush partial response", exc_info=True)
            return
        self.clear()
        reason = kwargs.get("reason")
        if "exc_info" in kwargs:
            error = kwargs["exc_info"][1]
            if isinstance(error, HTTPError) and error.reason:
                reason = error.reason
        try:
            self.set_status(status_code, reason=reason)
        except ValueError:
            gen_log.error("Unsafe reason phrase %r", reason)
            self.set_status(status_code)
        try:
            self.write_error(status_code, **kwargs)
        except Exception:
            app_log.error("Uncaught exception in write_error", exc_info=True)
        if not self._finished:
            self.finish()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Writes the page of an error; `exc_info` in `kwargs` is what caused it.

        With the setting `serve_traceback`, as in debug mode, the page is the traceback.
        """
        if self.settings.get("serve_traceback") and "exc_info" in kwargs:
            self.set_header("Content-Type", "text/plain; charset=UTF-8")
            for line in traceback.format_exception(*kwargs["exc_info"]):
                self.write(line)
            self.finish()
        else:
            title = f"{status_code}: {xhtml_escape(self._reason)}"
            self.finish(f"<html><title>{title}</title><body>{title}</body></html>")

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Logs what a handler raised: an `HTTPError` with a message as a warning, others with their traceback."""
        if isinstance(value, HTTPError):
            if value.log_message:
                gen_log.warning(
                    "%d %s: " + value.log_message, value.status_code, self._request_summary(), *value.args
                )
        else:
            app_log.error(
                "Uncaught exception %s\n%r",
                self._request_summary(),
                self.request,
                exc_info=(typ, value, tb),  # type: ignore[arg-type]
            )

    def _handle_request_exception(self, error: BaseException) -> None:
        """Ends the request after `prepare` or the verb has raised: the one place where that happens."""
        if isinstance(error, Finish):
            if not self._finished:
                self.finish(*error.args)
            return
        status = 500
        if isinstance(error, HTTPError):
            status = error.status_code
        elif isinstance(error, HTTPInputError):
            # What the client sent could not be understood when the handler asked for it.
            status = error.status if isinstance(error, RemoteProtocolError) else 400
            gen_log.warning("%d %s: %s", status, self._request_summary(), error)
        exc_info: ExcInfo = (type(error), error, error.__traceback__)
        if not isinstance(error, HTTPInputError):
            try:
                self.log_exception(*exc_info)
            except Exception:
                app_log.error("Error in exception logger", exc_info=True)
        if self._finished:
            # The response is out; there is nothing that could still be said to the client.
            return
        self.send_error(status, exc_info=exc_info)

    def reverse_url(self, name: str, *args: Any) -> str:
        """Returns the path of the route `name`, its groups replaced by `args`."""
        url: str = self.application.reverse_url(name, *args)
        return url

    def static_url(self, path: str, include_host: bool | None = None, **kwargs: Any) -> str:
        """Returns the URL of a static file below the setting `static_path`, with the version of its content.

        `include_host`: whether it begins with scheme and host, by default as the handler's attribute
        `include_host` says. Other keyword arguments are for `make_static_url` of the static handler's class.
        """
        self.require_setting("static_path", "static_url")
        get_url = self.settings["static_handler_class"].make_static_url
        if include_host is None:
            include_host = getattr(self, "include_host", False)
        base = f"{self.request.protocol}://{self.request.host}" if include_host else ""
        url: str = base + get_url(self.settings, path, **kwargs)
        return url


def _reason_phrase(reason: str) -> str:
    """Returns a reason phrase that can be written. Raises ValueError for control characters."""
    text = reason.decode("latin-1") if isinstance(reason, bytes) else reason
    if any((char < " " and char != "\t") or char == "\x7f" for char in text):
        raise ValueError(f"Unsafe reason phrase {text!r}")
    return text


__all__ = ["Finish", "HTTPError", "MissingArgumentError", "RequestHandler"]
