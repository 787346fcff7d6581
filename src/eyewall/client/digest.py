"""Digest access authentication (RFC 7616), the client's half: challenges in, Authorization fields out.

The server sends a nonce; the client proves that it knows the password by a hash over password, nonce, method and
target, which it could not have made before. The nonce is good for more than one request: `nc` counts them, so that
none of them can be played back.

A `Digest` is what one client knows of one server, for one user. It has no clock and no connection. Texts are Latin-1:
each character is an octet as it goes over the wire.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import quote_from_bytes

from eyewall.client.challenges import Challenge, parse_challenges, parse_parameters

#: Names of algorithms, to those of `hashlib`; each also with `-sess`.
_HASHES: Final = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
#: Requests that one nonce can count.
_MOST: Final = 0xFFFFFFFF


def new_cnonce() -> str:
    """Returns a number of the client's own, so that no server can prepare for what is hashed."""
    return secrets.token_urlsafe(18)


class Digest:
    """Answers challenges as `username`, with `password`; see the head of this file."""

    def __init__(self, username: bytes, password: bytes, cnonce: Callable[[], str] = new_cnonce) -> None:
        self._username = username
        self._password = password
        self._make_cnonce = cnonce
        self._challenge: Challenge | None = None
        self._hash = ""
        self._qop: str | None = None
        self._nonce = self._cnonce = ""
        self._count = 0
        #: The hash of user, realm and password; with `-sess`, of the first nonces as well.
        self._secret = ""

    @property
    def nonce(self) -> str | None:
        """The nonce that the next answer is for, None where no challenge is known."""
        return None if self._challenge is None else self._nonce

    def challenged(self, fields: Iterable[str], content: bool = True) -> bool:
        """Takes the challenges of a response; tells whether one is among them that `answer` can answer.

        `content`: the content of the request is known as a whole, which `qop=auth-int` needs. The first one counts
        (RFC 7616 section 3.7): servers list the strongest one first.
        """
        for challenge in parse_challenges(fields):
            hashed, qop = _usable(challenge, content)
            if hashed is None:
                continue
            self._challenge, self._hash, self._qop = challenge, hashed, qop
            self._begin(challenge.parameters["nonce"])
            self._secret = self._secret_of(challenge)
            return True
        return False

    def informed(self, info: str) -> None:
        """Takes an Authentication-Info field: the server may want another nonce from now on (section 3.5)."""
        following = parse_parameters(info).get("nextnonce")
        if following and self._challenge is not None:
            cnonce = self._cnonce
            self._begin(following)
            if self._is_session():
                # The secret was made with it, once and for all.
                self._cnonce = cnonce

    def answer(self, method: str, target: str, content: bytes | None) -> str | None:
        """Returns the Authorization field for a request, None where no challenge is known, or none for this request.

        `target`: as it stands in the request line. `content`: None where it is not known as a whole.
        """
        challenge = self._challenge
        if challenge is None or self._count == _MOST:
            return None
        parameters = challenge.parameters
        asked = f"{method}:{target}"
        if self._qop == "auth-int":
            if content is None:
                return None
            asked += f":{self._hashed(content)}"
        self._count += 1
        count = f"{self._count:08x}"
        inner = "" if self._qop is None else f"{count}:{self._cnonce}:{self._qop}:"
        response = self._hashed(f"{self._secret}:{self._nonce}:{inner}{self._hashed(asked)}")
        fields = [
            self._user(challenge),
            f"realm={_quoted(parameters.get('realm', ''))}",
            f"nonce={_quoted(self._nonce)}",
            f"uri={_quoted(target)}",
            f"response={_quoted(response)}",
        ]
        if "algorithm" in parameters:
            fields.append(f"algorithm={parameters['algorithm']}")
        if "opaque" in parameters:
            fields.append(f"opaque={_quoted(parameters['opaque'])}")
        if self._qop is not None:
            fields += [f"qop={self._qop}", f"nc={count}"]
        if self._qop is not None or self._is_session():
            fields.append(f"cnonce={_quoted(self._cnonce)}")
        if _is_true(parameters.get("userhash")):
            fields.append("userhash=true")
        return "Digest " + ", ".join(fields)

    def _begin(self, nonce: str) -> None:
        self._nonce = nonce
        self._cnonce = self._make_cnonce()
        self._count = 0

    def _is_session(self) -> bool:
        challenge = self._challenge
        return challenge is not None and _algorithm(challenge).endswith("-SESS")

    def _secret_of(self, challenge: Challenge) -> str:
        realm = challenge.parameters.get("realm", "").encode("latin-1")
        secret = self._hashed(b":".join([self._username, realm, self._password]))
        if self._is_session():
            secret = self._hashed(f"{secret}:{self._nonce}:{self._cnonce}")
        return secret

    def _user(self, challenge: Challenge) -> str:
        """The user's name: as it is, hashed, or encoded for servers that know how (section 3.4.4)."""
        parameters = challenge.parameters
        if _is_true(parameters.get("userhash")):
            realm = parameters.get("realm", "").encode("latin-1")
            return f"username={_quoted(self._hashed(self._username + b':' + realm))}"
        if not self._username.isascii() and parameters.get("charset", "").lower() == "utf-8":
            return f"username*=UTF-8''{quote_from_bytes(self._username, safe='')}"
        return f"username={_quoted(self._username.decode('latin-1'))}"

    def _hashed(self, text: str | bytes) -> str:
        octets = text if isinstance(text, bytes) else text.encode("latin-1")
        return hashlib.new(self._hash, octets, usedforsecurity=False).hexdigest()


def _algorithm(challenge: Challenge) -> str:
    return challenge.parameters.get("algorithm", "MD5").upper()


def _usable(challenge: Challenge, content: bool) -> tuple[str | None, str | None]:
    """Returns the hash and the `qop` for a challenge; None for the hash where it is not one for us."""
    parameters = challenge.parameters
    hashed = _HASHES.get(_algorithm(challenge).removesuffix("-SESS"))
    if (
        challenge.scheme != "digest"
        or "nonce" not in parameters
        or hashed not in hashlib.algorithms_available
    ):
        return None, None
    if "qop" not in parameters:
        # As before RFC 2617: without a count, and none of the client's numbers.
        return hashed, None
    offered = [each.strip().lower() for each in parameters["qop"].split(",")]
    for qop in ("auth", "auth-int") if content else ("auth",):
        if qop in offered:
            return hashed, qop
    return None, None


def _is_true(value: str | None) -> bool:
    return value is not None and value.lower() == "true"


def is_stale(fields: Iterable[str]) -> bool:
    """Tells whether a server refuses a nonce only for its age, and not what was proved with it (section 3.3)."""
    return any(
        _is_true(challenge.parameters.get("stale"))
        for challenge in parse_challenges(fields)
        if challenge.scheme == "digest"
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
