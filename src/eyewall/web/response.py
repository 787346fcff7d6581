"""How the fields of a response become bytes, once.

The head of most responses is the same for a second: `Server`, `Date` and `Content-Type` with the values that
every handler begins with. So those are kept as bytes, and what a handler sets is put behind them. A handler
whose `_headers` was looked at, or that added to a field, has an `HTTPHeaders` instead, which is encoded as it
stands.
"""

from __future__ import annotations

from eyewall.base.clock import http_date, http_date_bytes, unix_time
from eyewall.guard.profile import active
from eyewall.http.errors import HTTPOutputError
from eyewall.http.headers import HTTPHeaders

HTML = "text/html; charset=UTF-8"

_HTML_LINE = b"Content-Type: text/html; charset=UTF-8\r\n"
#: Lines of the Content-Types that were sent first: an application has few.
_type_lines: dict[str, bytes] = {}
_TYPE_LINES_KEPT = 100
_second = -1.0
_top = b""
_html_top = b""


def default_headers() -> HTTPHeaders:
    """Returns the fields that every response begins with."""
    headers = HTTPHeaders()
    token = active().server_token
    if token:
        headers["Server"] = token
    headers["Content-Type"] = HTML
    headers["Date"] = http_date(unix_time())
    return headers


def standing_fields(now: float, html: bool) -> bytes:
    """Returns the default fields at `now`, in seconds since the epoch, with the Content-Type where it is `html`; they
    are made anew once a second."""
    global _second, _top, _html_top
    if now - _second >= 1.0 or now < _second:
        _second = now // 1.0
        token = active().server_token
        server = b"Server: %b\r\n" % token.encode("latin-1") if token else b""
        _top = b"%bDate: %b\r\n" % (server, http_date_bytes(now))
        _html_top = _top + _HTML_LINE
    return _html_top if html else _top


def forget_defaults() -> None:
    """Has the default fields made anew; for when the profile has changed."""
    global _second
    _second = -1.0


class Encoded:
    """The fields of a response as bytes, and what they say of its framing.

    `length`: the Content-Length that the handler stated, -1 for none. `close`: it wants the connection
    closed. `coding`: the line of a Transfer-Encoding that it stated.
    """

    __slots__ = ("block", "close", "coding", "length")

    def __init__(self, block: bytes, length: int, close: bool, coding: bytes = b"") -> None:
        self.block = block
        self.length = length
        self.close = close
        self.coding = coding


def encode_fields(fields: dict[str, str] | None, cookies: dict[str, str] | None, line: bytes) -> Encoded:
    """Encodes what a handler has set over the defaults. The values were checked when they were set.

    `line`: a field that is encoded already, with its line end; or nothing.
    """
    length = -1
    close = False
    coding = b""
    html = True
    text = ""
    if fields is not None:
        for name, value in fields.items():
            if name == "Content-Length":
                length = _stated_length(value)
            elif name == "Connection":
                close = "close" in value.lower()
            elif name == "Transfer-Encoding":
                coding = _encode_line(f"{name}: {value}\r\n")
            else:
                if name == "Content-Type":
                    html = False
                    kind = _type_lines.get(value)
                    if kind is not None:
                        line = line + kind
                        continue
                    if len(_type_lines) < _TYPE_LINES_KEPT and value.isascii():
                        _type_lines[value] = f"{name}: {value}\r\n".encode("ascii")
                text += f"{name}: {value}\r\n"
    if cookies is not None:
        for cookie in cookies.values():
            text += f"Set-Cookie: {cookie}\r\n"
    top = standing_fields(unix_time(), html)
    if not text:
        return Encoded(top + line if line else top, length, close, coding)
    # A value that Latin-1 can't express goes as UTF-8, its own line only where others were meant as Latin-1.
    block = text.encode("latin-1") if text.isascii() else _encode_lines(text)
    return Encoded(top + line + block, length, close, coding)


def _encode_lines(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return b"".join([_encode_line(line) for line in text.splitlines(keepends=True)])


def _encode_line(line: str) -> bytes:
    try:
        return line.encode("latin-1")
    except UnicodeEncodeError:
        return line.encode("utf-8")


def encode_headers(headers: HTTPHeaders, cookies: dict[str, str] | None) -> Encoded:
    """Encodes a whole set of fields, without those that are the connection's."""
    fields = headers.copy()
    length = -1
    close = False
    stated = fields.get("Content-Length")
    if stated is not None:
        length = _stated_length(stated)
        del fields["Content-Length"]
    connection = fields.get("Connection")
    if connection is not None:
        close = "close" in connection.lower()
        del fields["Connection"]
    coding = b""
    if "Transfer-Encoding" in fields:
        coding = _encode_line(f"Transfer-Encoding: {fields['Transfer-Encoding']}\r\n")
        del fields["Transfer-Encoding"]
    if cookies is not None:
        for cookie in cookies.values():
            fields.add("Set-Cookie", cookie)
    return Encoded(fields.encode(), length, close, coding)


def _stated_length(value: str) -> int:
    if not (value.isascii() and value.isdigit()):
        raise HTTPOutputError(f"malformed Content-Length {value!r}")
    return int(value)
