"""Cookies of a handler: reading those of the request, writing those of the response, plain and signed.

A `Set-Cookie` field (RFC 6265 section 4.1) is formatted when it is set, not when the response is sent, so
that a bad name, value or attribute raises where it was written. Values are quoted the way the standard
library's `http.cookies` quotes them, which is what the parser of the request side undoes.
"""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from eyewall.base.escape import to_unicode
from eyewall.http.dates import format_timestamp
from eyewall.web.settings import SettingsMixin
from eyewall.web.signing import (
    Secret,
    SecretMap,
    create_signed_value,
    decode_signed_value,
    get_signature_key_version,
)

if TYPE_CHECKING:
    import datetime

    from eyewall.http.request import HTTPServerRequest

Expires: TypeAlias = "float | tuple[int, ...] | time.struct_time | datetime.datetime"

_DAY = 86400.0
#: A cookie is removed by one that expired this long ago, in case the client's clock is slow.
_CLEARED_DAYS = 365.0

#: A name is a token (RFC 9110 section 5.6.2) or contains colons, as the standard library allows.
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~:]+")
#: A value of these characters needs no quotes.
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~:]*")
#: Inside quotes these are written as octal escapes: other parsers end a cookie at a semicolon or a comma.
_ESCAPED = re.compile(r'["\\,;\x7f-\xff]')
#: In a value: nothing below "!", quoted or not.
_UNSAFE_VALUE = re.compile(r"[\x00-\x20]")
#: In a name or an attribute: what would end it and start another.
_UNSAFE_ATTRIBUTE = re.compile(r"[\x00-\x20\x7f;]")
#: The same in a date, which has blanks.
_UNSAFE_DATE = re.compile(r"[\x00-\x1f\x7f;]")

#: How attributes are spelt, in the order in which they are written.
_ATTRIBUTES = {
    "comment": "Comment",
    "domain": "Domain",
    "expires": "expires",
    "httponly": "HttpOnly",
    "max-age": "Max-Age",
    "partitioned": "Partitioned",
    "path": "Path",
    "samesite": "SameSite",
    "secure": "Secure",
    "version": "Version",
}
_FLAGS = frozenset({"httponly", "partitioned", "secure"})


def _refuse(message: str) -> NoReturn:
    # Deferred: http.cookies costs more to import than all of this module, and few programs ever get here.
    from http.cookies import CookieError

    raise CookieError(message)


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    return "\\" + char if char in '"\\' else f"\\{ord(char):03o}"


def _check_attribute(name: str, key: str, text: str) -> None:
    """Raises CookieError when the value of attribute `key` of cookie `name` could end the attribute."""
    unsafe = _UNSAFE_DATE if key.lower() == "expires" else _UNSAFE_ATTRIBUTE
    if unsafe.search(text):
        _refuse(f"Invalid cookie attribute {key}={text!r} for cookie {name!r}")


def format_cookie(name: str, value: str, attributes: Mapping[str, object]) -> str:
    """Returns the value of a `Set-Cookie` field.

    `attributes` is by lower-case name (`max-age`, `httponly`...); one whose value is None, False or empty is
    left out. Raises http.cookies.CookieError for a bad name, attribute name or attribute value, ValueError
    for a value with blanks or control characters.
    """
    if _UNSAFE_ATTRIBUTE.search(name):
        _refuse(f"Invalid cookie attribute name={name!r} for cookie {name!r}")
    if _UNSAFE_VALUE.search(value):
        raise ValueError(f"Invalid cookie {name!r}: {value!r}")
    if not _NAME.fullmatch(name):
        _refuse(f"Illegal key {name!r}")
    if name.lower() in _ATTRIBUTES:
        _refuse(f"Attempt to set a reserved key {name!r}")
    if not value or not _PLAIN_VALUE.fullmatch(value):
        value = f'"{_ESCAPED.sub(_escape, value)}"'
    fields = [f"{name}={value}"]
    for key, label in _ATTRIBUTES.items():
        setting = attributes.get(key)
        if not setting:
            continue
        if key in _FLAGS:
            fields.append(label)
            continue
        text = str(setting)
        _check_attribute(name, key, text)
        fields.append(f"{label}={text}")
    return "; ".join(fields)


class CookiesMixin(SettingsMixin):
    """The cookie methods of a handler.

    The new cookies live in a dictionary that exists from the first `set_cookie` on; `_cookie_headers` is what
    the handler writes when it sends its head.
    """

    request: HTTPServerRequest

    _new_cookies: dict[str, str] | None = None

    @property
    def cookies(self) -> Mapping[str, Any]:
        """The cookies of the request, by name, as `http.cookies.Morsel` objects."""
        return self.request.cookies

    def get_cookie(self, name: str, default: str | None = None) -> str | None:
        """Returns the value of the request's cookie `name`, or `default`.

        Cookies set in this response are not seen.
        """
        morsel = self.request.cookies.get(name)
        return default if morsel is None else morsel.value

    def set_cookie(
        self,
        name: str,
        value: str | bytes,
        domain: str | None = None,
        expires: Expires | None = None,
        path: str | None = "/",
        expires_days: float | None = None,
        *,
        max_age: int | None = None,
        httponly: bool = False,
        secure: bool = False,
        samesite: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Sets a cookie, in place of one that this response has set under the same name.

        `expires` is a time (seconds since the epoch, a time tuple or a datetime; naive ones are UTC) and wins
        over `expires_days` from now; `max_age` counts seconds. Zero and None set none of them. `domain`
        and `path` say where it is sent to, `secure` only over TLS; `httponly` keeps it from scripts; `samesite` is
        "Strict", "Lax" or "None" and says whether other sites' requests have it (RFC 6265bis section 5.2). Other
        attributes may be given as keywords, in any case (deprecated for those named here).

        Raises http.cookies.CookieError for names and attributes that could inject others, ValueError for a
        value with blanks or control characters and for a `max_age` that is not a number.
        """
        name = to_unicode(name)
        text = to_unicode(value)
        attributes: dict[str, object] = {
            "domain": domain,
            "path": path,
            "max-age": int(max_age) if max_age else None,
            "httponly": httponly,
            "secure": secure,
            "samesite": samesite,
        }
        if expires:
            attributes["expires"] = format_timestamp(expires)
        elif expires_days is not None:
            attributes["expires"] = format_timestamp(time.time() + expires_days * _DAY)
        if kwargs:
            _take_extra(name, attributes, kwargs)
        field = format_cookie(name, text, attributes)
        cookies = self._new_cookies
        if cookies is None:
            cookies = self._new_cookies = {}
        # The last one set is written last.
        cookies.pop(name, None)
        cookies[name] = field

    def clear_cookie(self, name: str, **kwargs: Any) -> None:
        """Tells the client to forget the cookie `name`.

        `kwargs` are those of `set_cookie`; `domain` and `path` must be what the cookie was set with. Raises
        TypeError for `expires` and `max_age`, which clearing decides.
        """
        for refused in ("expires", "max_age"):
            if refused in kwargs:
                raise TypeError(f"clear_cookie() got an unexpected keyword argument '{refused}'")
        self.set_cookie(name, "", expires=time.time() - _CLEARED_DAYS * _DAY, **kwargs)

    def clear_all_cookies(self, **kwargs: Any) -> None:
        """Clears every cookie that came with this request; `kwargs` as for `clear_cookie`.

        Cookies that were set for another path or domain than `kwargs` say stay, and so do names that cannot
        be written in a `Set-Cookie` field.
        """
        for name in self.request.cookies:
            if _NAME.fullmatch(name) and name.lower() not in _ATTRIBUTES:
                self.clear_cookie(name, **kwargs)

    def set_signed_cookie(
        self,
        name: str,
        value: str | bytes,
        expires_days: float | None = 30,
        version: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Sets a cookie, `name`, that clients can read but not change; the setting `cookie_secret` is required.

        `expires_days` limits how long browsers keep it, not how long it verifies: see `get_signed_cookie`. None
        makes it a session cookie. Other `kwargs` as for `set_cookie`. `version` as with `create_signed_value`.
        """
        signed = self.create_signed_value(name, value, version=version)
        self.set_cookie(name, signed, expires_days=expires_days, **kwargs)

    set_secure_cookie = set_signed_cookie

    def create_signed_value(self, name: str, value: str | bytes, version: int | None = None) -> bytes:
        """Returns `value` signed for `name` with the application's secret, for uses other than cookies.

        `version`: the form of the signature, 2 by default. Raises ValueError for one that does not exist, and
        where the setting `cookie_secret` is a mapping and there is no setting `key_version`.
        """
        secret = self._cookie_secret()
        key_version = None
        if isinstance(secret, Mapping):
            key_version = self.application.settings.get("key_version")
            if key_version is None:
                raise ValueError("key_version setting must be used for secret_key dicts")
        return create_signed_value(secret, name, value, version=version, key_version=key_version)

    def get_signed_cookie(
        self,
        name: str,
        value: str | None = None,
        max_age_days: float = 31,
        min_version: int | None = None,
    ) -> bytes | None:
        """Returns what `set_signed_cookie` stored, or None if it is missing, forged or older than
        `max_age_days`.

        `value` is verified instead of the request's cookie `name` when it is given. `min_version` is the oldest form of
        signature that counts, 2 by default.
        """
        secret = self._cookie_secret()
        stated = self.get_cookie(name) if value is None else value
        return decode_signed_value(secret, name, stated, max_age_days, min_version=min_version)

    get_secure_cookie = get_signed_cookie

    def get_signed_cookie_key_version(self, name: str, value: str | None = None) -> int | None:
        """Returns which key the signed cookie `name`, or `value`, says it was signed with, unverified; None for
        none, or for a missing cookie.
        """
        self._cookie_secret()
        stated = self.get_cookie(name) if value is None else value
        return None if stated is None else get_signature_key_version(stated)

    get_secure_cookie_key_version = get_signed_cookie_key_version

    def _cookie_secret(self) -> Secret | SecretMap:
        self.require_setting("cookie_secret", "secure cookies")
        secret: Secret | SecretMap = self.application.settings["cookie_secret"]
        return secret

    def _cookie_headers(self) -> list[str]:
        """The values of the `Set-Cookie` fields to send; empty when no cookie was set."""
        cookies = self._new_cookies
        return [] if cookies is None else list(cookies.values())


def _take_extra(name: str, attributes: dict[str, object], extra: Mapping[str, Any]) -> None:
    """Adds attributes that came as keywords, checked here so that an error has the spelling of the caller."""
    unknown = [key for key in extra if key.lower() not in _ATTRIBUTES]
    if unknown:
        _refuse(f"Invalid attribute {unknown[0]!r}")
    for key, setting in extra.items():
        _check_attribute(name, key, str(setting))
        attributes[key.lower()] = setting
    deprecated = {key for key in extra if key.lower() != "partitioned"}
    if deprecated:
        warnings.warn(
            f"Deprecated arguments to set_cookie: {deprecated} (should be lowercase)",
            DeprecationWarning,
            stacklevel=3,
        )
