"""Signed values: what a cookie carries so that a client can read but not change it.

Two formats, both Tornado's:

    version 1   base64(value) | timestamp | hmac_sha1(name + base64(value) + timestamp)
    version 2   2 | key version | timestamp | name | base64(value) | hmac_sha256(everything before)

In version 2 every field between the leading `2|` and the signature is written as `length:content|`, so that
no byte can move from one field to the next; in version 1 it can, which is why a timestamp there must be
plausible. Versions 1 values are read only where the caller asks for it with `min_version=1`.

The secret may be a mapping from key versions to keys: any of them verifies, the one chosen by `key_version`
signs. Everything that comes from the client is read strictly: numbers are canonical decimals, base64 is
exact.
"""

from __future__ import annotations

import time
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from typing import NamedTuple

from eyewall.base.escape import utf8
from eyewall.base.loggers import gen_log

#: One key.
Secret = str | bytes
#: Keys by version, for rotation.
SecretMap = Mapping[int, Secret]

#: The version `create_signed_value` writes by default.
DEFAULT_SIGNED_VALUE_VERSION = 2
#: The oldest version `decode_signed_value` accepts by default.
DEFAULT_SIGNED_VALUE_MIN_VERSION = 2
MIN_SUPPORTED_SIGNED_VALUE_VERSION = 1
MAX_SUPPORTED_SIGNED_VALUE_VERSION = 2

_DAY = 86400.0
#: A version 1 timestamp further ahead than this was made by shifting digits into it.
_SKEW_SECONDS = 31 * _DAY
#: A leading field of at most this many digits is a version; a version 1 value starts with base64 and is
#: longer.
_VERSION_DIGITS = 3
#: Digits of a number in a version 2 value: the lengths, the timestamp, the key version.
_NUMBER_DIGITS = 15
#: How much of a refused value is repeated in the log.
_LOGGED_BYTES = 100


class _Envelope(NamedTuple):
    """A version 2 value taken apart; nothing of it is verified yet."""

    key_version: int
    timestamp: int
    name: bytes
    payload: bytes
    signed: bytes
    signature: bytes


def create_signed_value(
    secret: Secret | SecretMap,
    name: str,
    value: str | bytes,
    version: int | None = None,
    clock: Callable[[], float] | None = None,
    key_version: int | None = None,
) -> bytes:
    """Returns `value` signed for use under `name`.

    `secret`: a key, or keys by their versions, of which `key_version` signs. `version`: the form of the
    signature, 2 by default. `clock` returns seconds since the epoch. Raises ValueError for a version that does
    not exist and for secrets that do not fit it (a mapping needs version 2 and a `key_version`), KeyError for a
    key that is not there.
    """
    if version is None:
        version = DEFAULT_SIGNED_VALUE_VERSION
    timestamp = b"%d" % int((clock or time.time)())
    payload = b2a_base64(utf8(value), newline=False)
    if version == 1:
        if isinstance(secret, Mapping):
            raise ValueError("version 1 signatures cannot name their key: use version 2 with several secrets")
        signature = signature_v1(secret, name, payload, timestamp)
        return b"|".join((payload, timestamp, signature))
    if version != 2:
        raise ValueError(f"Unsupported version {version}")
    if isinstance(secret, Mapping):
        if key_version is None:
            raise ValueError("Key version must be set when sign key dict is used")
        secret = secret[key_version]
    fields = (b"%d" % (key_version or 0), timestamp, utf8(name), payload)
    signed = b"2|" + b"".join([b"%d:%b|" % (len(field), field) for field in fields])
    return signed + signature_v2(secret, signed)


def decode_signed_value(
    secret: Secret | SecretMap,
    name: str,
    value: str | bytes | None,
    max_age_days: float = 31,
    clock: Callable[[], float] | None = None,
    min_version: int | None = None,
) -> bytes | None:
    """Returns what was signed, or None when `value` is missing, malformed, forged, for another name or too
    old.

    `secret`: what it was signed with, or a dict of these by the version of the key. `max_age_days`: how old it may be.
    `min_version`: the oldest form of signature that counts, 2 by default. `clock` returns seconds since the epoch.
    Raises ValueError only for a `min_version` that does not exist.
    """
    if min_version is None:
        min_version = DEFAULT_SIGNED_VALUE_MIN_VERSION
    if min_version > MAX_SUPPORTED_SIGNED_VALUE_VERSION:
        raise ValueError(f"Unsupported min_version {min_version}")
    if not value:
        return None
    raw = utf8(value)
    version = _version_of(raw)
    if version < min_version:
        return None
    now = (clock or time.time)()
    oldest = now - max_age_days * _DAY
    if version == 2:
        return _open_v2(secret, utf8(name), raw, oldest)
    if version == 1:
        return _open_v1(secret, name, raw, oldest, now + _SKEW_SECONDS)
    return None


def get_signature_key_version(value: str | bytes) -> int | None:
    """Returns the key version a value says it was signed with, unverified; None where it says none."""
    raw = utf8(value)
    if _version_of(raw) < 2:
        return None
    envelope = _take_apart(raw)
    return None if envelope is None else envelope.key_version


def signature_v1(secret: Secret, *parts: str | bytes) -> bytes:
    """Returns the hexadecimal HMAC-SHA1 of `parts`, joined without delimiters."""
    return _hex_mac(secret, b"".join([utf8(part) for part in parts]), "sha1")


def signature_v2(secret: Secret, signed: bytes) -> bytes:
    """Returns the hexadecimal HMAC-SHA256 of `signed`."""
    return _hex_mac(secret, utf8(signed), "sha256")


def are_equal(one: bytes, other: bytes) -> bool:
    """Whether two secrets are the same, in a time that does not tell where they differ."""
    from hmac import compare_digest

    return compare_digest(one, other)


def _hex_mac(secret: Secret, message: bytes, digest: str) -> bytes:
    # Loading OpenSSL's digests takes half a MiB, which is for those who sign.
    from hmac import digest as mac

    return mac(utf8(secret), message, digest).hex().encode("ascii")


def _version_of(raw: bytes) -> int:
    """The format version of a value; 1 for everything that does not start like a newer one."""
    head = raw[: _VERSION_DIGITS + 1].partition(b"|")
    if head[1] and head[0].isdigit() and not head[0].startswith(b"0"):
        return int(head[0])
    return 1


def _number(digits: bytes) -> int | None:
    """The value of a canonical decimal (as written by `%d`), else None."""
    if not 0 < len(digits) <= _NUMBER_DIGITS:
        return None
    unsigned = digits[1:] if digits[:1] == b"-" else digits
    if not unsigned.isdigit() or (unsigned[:1] == b"0" and digits != b"0"):
        return None
    return int(digits)


def _take_apart(raw: bytes) -> _Envelope | None:
    """Splits a version 2 value into its fields, or returns None when it is not one."""
    at = raw.find(b"|") + 1
    fields: list[bytes] = []
    for _ in range(4):
        colon = raw.find(b":", at, at + _NUMBER_DIGITS + 1)
        length = _number(raw[at:colon]) if colon > 0 else None
        if length is None or length < 0:
            return None
        end = colon + 1 + length
        if raw[end : end + 1] != b"|":
            return None
        fields.append(raw[colon + 1 : end])
        at = end + 1
    key_version = _number(fields[0])
    timestamp = _number(fields[1])
    if key_version is None or timestamp is None:
        return None
    return _Envelope(key_version, timestamp, fields[2], fields[3], raw[:at], raw[at:])


def _open_v2(secret: Secret | SecretMap, name: bytes, raw: bytes, oldest: float) -> bytes | None:
    envelope = _take_apart(raw)
    if envelope is None:
        return None
    if isinstance(secret, Mapping):
        key = secret.get(envelope.key_version)
        if key is None:
            return None
        secret = key
    if not are_equal(envelope.signature, signature_v2(secret, envelope.signed)):
        return None
    if envelope.name != name or envelope.timestamp < oldest:
        return None
    return _payload(envelope.payload)


def _open_v1(secret: Secret | SecretMap, name: str, raw: bytes, oldest: float, newest: float) -> bytes | None:
    parts = raw.split(b"|", 3)
    if len(parts) != 3 or isinstance(secret, Mapping):
        return None
    payload, digits, signature = parts
    if not are_equal(signature, signature_v1(secret, name, payload, digits)):
        gen_log.warning("Invalid cookie signature %r", raw[:_LOGGED_BYTES])
        return None
    timestamp = _number(digits)
    if timestamp is None or timestamp < 0:
        gen_log.warning("Tampered cookie %r", raw[:_LOGGED_BYTES])
        return None
    if timestamp < oldest:
        gen_log.warning("Expired cookie %r", raw[:_LOGGED_BYTES])
        return None
    if timestamp > newest:
        # The signature does not tell payload and timestamp apart: digits of one can be moved to the other.
        gen_log.warning("Cookie timestamp in future; possible tampering %r", raw[:_LOGGED_BYTES])
        return None
    return _payload(payload)


def _payload(encoded: bytes) -> bytes | None:
    try:
        return a2b_base64(encoded, strict_mode=True)
    except Base64Error:
        return None
