"""Protection against forged requests (XSRF): a random token in a cookie that every form has to repeat.

A token is written in two ways, and each is understood whatever the setting `xsrf_cookie_version` says:

    version 1   hex(token)                             the same on every page
    version 2   2 | hex(mask) | hex(token ^ mask) | t  another on every page

`mask` is 4 random bytes, repeated; it keeps the token from being guessed byte by byte through the size of
compressed pages (BREACH). `t` is when the token was made, in seconds since the epoch.
"""

from __future__ import annotations

import os
import time
from binascii import Error as HexError
from binascii import unhexlify
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from eyewall.base.escape import utf8, xhtml_escape
from eyewall.web.errors import HTTPError
from eyewall.web.origin import OriginMixin
from eyewall.web.signing import are_equal

if TYPE_CHECKING:
    from eyewall.http.request import HTTPServerRequest

#: The setting that is used when there is none.
DEFAULT_XSRF_COOKIE_VERSION = 2

_TOKEN_BYTES = 16
_MASK_BYTES = 4
#: Digits of the time in a version 2 token.
_TIME_DIGITS = 15
#: Days a browser keeps the token of a user who is logged in; that of others goes with the session.
_USER_DAYS = 30


class XsrfToken(NamedTuple):
    """A token as it is kept in the cookie: what is compared, and when it was made."""

    secret: bytes
    made: int


class _Host(Protocol):
    """What the mixin needs of the handler it is part of."""

    _xsrf_seen: XsrfToken | None
    _xsrf_known: bool
    _xsrf_written: bytes | None

    @property
    def request(self) -> HTTPServerRequest: ...
    @property
    def settings(self) -> dict[str, Any]: ...
    @property
    def current_user(self) -> Any: ...
    @property
    def xsrf_token(self) -> bytes: ...
    def get_argument(self, name: str, default: None) -> str | None: ...
    def get_cookie(self, name: str) -> str | None: ...
    def set_cookie(self, name: str, value: str | bytes, **kwargs: Any) -> None: ...
    def _xsrf_from_cookie(self) -> XsrfToken | None: ...


def _masked(data: bytes, mask: bytes) -> bytes:
    """`data` with `mask`, repeated, exclusive-or'ed onto it; the same again takes it off."""
    size = len(data)
    repeated = (mask * (size // len(mask) + 1))[:size]
    return (int.from_bytes(data) ^ int.from_bytes(repeated)).to_bytes(size)


def encode_xsrf_token(token: XsrfToken, version: int) -> bytes:
    """Returns `token` in the given version; version 2 is different at every call. Raises ValueError for
    others."""
    if version == 1:
        return token.secret.hex().encode("ascii")
    if version != 2:
        raise ValueError(f"unknown xsrf cookie version {version}")
    mask = os.urandom(_MASK_BYTES)
    text = f"2|{mask.hex()}|{_masked(token.secret, mask).hex()}|{token.made}"
    return text.encode("ascii")


def decode_xsrf_token(text: str) -> XsrfToken | None:
    """Reads a token of either version; None when it is empty or malformed."""
    version, separator, _ = text.partition("|")
    if not separator or not (version.isascii() and version.isdigit()):
        return _decode_plain(text)
    fields = text.split("|")
    if version != "2" or len(fields) != 4:
        return None
    made = fields[3]
    if not (made.isascii() and made.isdigit() and len(made) <= _TIME_DIGITS):
        return None
    try:
        mask, masked = unhexlify(fields[1]), unhexlify(fields[2])
    except ValueError:
        return None
    if len(mask) != _MASK_BYTES or not masked:
        return None
    return XsrfToken(_masked(masked, mask), int(made))


def _decode_plain(text: str) -> XsrfToken | None:
    """Version 1: hexadecimal as we write it, or whatever the application has put into the cookie itself."""
    if not text:
        return None
    try:
        secret = unhexlify(text)
    except (HexError, ValueError):
        secret = utf8(text)
    return XsrfToken(secret, int(time.time()))


class XsrfMixin(OriginMixin):
    """`xsrf_token`, `xsrf_form_html` and the check. Costs nothing where neither is used."""

    _xsrf_seen: XsrfToken | None = None
    _xsrf_known: bool = False
    _xsrf_written: bytes | None = None

    @property
    def xsrf_token(self: _Host) -> bytes:
        """The token to put into forms and headers of this page; sets the cookie if the client has none.

        The settings `xsrf_cookie_name`, `xsrf_cookie_kwargs` and `xsrf_cookie_version` say how. Raises
        ValueError for a version that does not exist.
        """
        written = self._xsrf_written
        if written is None:
            settings = self.settings
            token = self._xsrf_from_cookie()
            new = token is None
            if token is None:
                token = self._xsrf_seen = XsrfToken(os.urandom(_TOKEN_BYTES), int(time.time()))
            version = settings.get("xsrf_cookie_version", DEFAULT_XSRF_COOKIE_VERSION)
            written = encode_xsrf_token(token, version)
            if new:
                options = dict(settings.get("xsrf_cookie_kwargs") or {})
                if self.current_user and "expires_days" not in options:
                    options["expires_days"] = _USER_DAYS
                self.set_cookie(settings.get("xsrf_cookie_name", "_xsrf"), written, **options)
            self._xsrf_written = written
        return written

    def xsrf_form_html(self: _Host) -> str:
        """Returns the hidden input field that every form sent by POST has to contain."""
        token = xhtml_escape(self.xsrf_token.decode("ascii"))
        return f'<input type="hidden" name="_xsrf" value="{token}"/>'

    def check_xsrf_cookie(self: _Host) -> None:
        """Raises HTTPError (403) unless the request repeats the token of its cookie.

        It is looked for in the argument `_xsrf`, then in the headers X-XSRFToken and X-CSRFToken. Called for
        every method but GET, HEAD and OPTIONS when the setting `xsrf_cookies` is on.
        """
        headers = self.request.headers
        sent = self.get_argument("_xsrf", None) or headers.get("X-Xsrftoken") or headers.get("X-Csrftoken")
        if not sent:
            raise HTTPError(403, "'_xsrf' argument missing from POST")
        claimed = decode_xsrf_token(sent)
        if claimed is None:
            raise HTTPError(403, "'_xsrf' argument has invalid format")
        expected = self._xsrf_from_cookie()
        if expected is None or not are_equal(claimed.secret, expected.secret):
            raise HTTPError(403, "XSRF cookie does not match POST argument")

    def _xsrf_from_cookie(self: _Host) -> XsrfToken | None:
        """The token the client has, read once; None when it has none that can be read."""
        if not self._xsrf_known:
            cookie = self.get_cookie(self.settings.get("xsrf_cookie_name", "_xsrf"))
            self._xsrf_seen = decode_xsrf_token(cookie) if cookie else None
            self._xsrf_known = True
        return self._xsrf_seen
