"""Who asks, and how a server or a proxy is shown that: by Basic (RFC 7617) or by Digest (`client.digest`).

A `Login` is a name and a password. A `Proof` is what one request makes of it for one place: with Basic the same field
each time; with Digest nothing at first, then an answer to the challenge that comes back. `Nonces` is what a client
remembers, so that later requests answer before they are asked.
"""

from __future__ import annotations

import unicodedata
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, NamedTuple

from eyewall.client.digest import Digest, is_stale

#: Places and logins that one client remembers a nonce for; the least recently used is forgotten.
_REMEMBERED: Final = 64
#: Challenges that one request answers at one place: the first one, and one more where the nonce was too old.
_ANSWERS: Final = 2
_MODES: Final = {None: False, "basic": False, "digest": True}


class Login(NamedTuple):
    """A name and a password, as octets. `digest`: they are never sent, only proved to be known."""

    username: bytes
    password: bytes
    digest: bool = False

    @classmethod
    def of(
        cls, username: str | bytes, password: str | bytes | None, mode: str | None, option: str = "auth_mode"
    ) -> Login:
        """Makes one from the options of a request; text becomes UTF-8 in NFC. Raises ValueError for the `mode`."""
        if mode not in _MODES:
            raise ValueError(f"unsupported {option} {mode!r}: this client knows 'basic' and 'digest'")
        return cls(_octets(username), _octets(password or ""), _MODES[mode])

    @classmethod
    def of_url(cls, credentials: bytes, mode: str | None) -> Login:
        """Makes one from `user:password`. Raises ValueError for the `mode`."""
        username, _, password = credentials.partition(b":")
        return cls.of(username, password, mode)

    def __repr__(self) -> str:
        # Without what tracebacks and logs must not show.
        return f"<Login of {self.username!r}>"

    def basic(self) -> str:
        """Returns the value of an Authorization field (RFC 7617)."""
        return "Basic " + b64encode(self.username + b":" + self.password).decode("ascii")


class Nonces:
    """The nonces that a client may use again, by place and login."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[object, Login], Digest] = OrderedDict()

    def get(self, place: object, login: Login) -> Digest | None:
        """Returns what is known of a place, None where that is nothing."""
        digest = self._known.get((place, login))
        if digest is not None:
            self._known.move_to_end((place, login))
        return digest

    def put(self, place: object, login: Login, digest: Digest) -> None:
        """Remembers what has proved good."""
        self._known[place, login] = digest
        self._known.move_to_end((place, login))
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def clear(self) -> None:
        """Forgets everything."""
        self._known.clear()


class Proof:
    """What one request shows at one place: an origin, or a proxy. `place` tells them apart in `nonces`."""

    def __init__(self, login: Login, nonces: Nonces, place: object) -> None:
        self._login = login
        self._nonces = nonces
        self._place = place
        self._digest = nonces.get(place, login) if login.digest else None
        self._answers = 0

    def field(self, method: str, target: str, content: bytes | None) -> str | None:
        """Returns the value of the field for a request; None where nothing is known to answer. See `Digest.answer`."""
        if not self._login.digest:
            return self._login.basic()
        return None if self._digest is None else self._digest.answer(method, target, content)

    def refused(self, challenges: Sequence[str], content: bool = True) -> bool:
        """Takes the challenges of a 401 or 407; tells whether to make the request again makes sense.

        That is so once, and a second time where only the nonce was too old. `content`: see `Digest.challenged`.
        """
        if not self._login.digest or self._answers == _ANSWERS:
            return False
        if self._answers and not is_stale(challenges):
            return False
        # Its own, so that its count begins with 1 whatever other requests do meanwhile.
        digest = Digest(self._login.username, self._login.password)
        if not digest.challenged(challenges, content):
            return False
        self._answers += 1
        self._digest = digest
        return True

    def accepted(self, info: str | None) -> None:
        """What was shown was good enough; `info` is the field Authentication-Info that came with it."""
        if self._digest is not None:
            if info:
                self._digest.informed(info)
            self._nonces.put(self._place, self._login, self._digest)


def _octets(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else unicodedata.normalize("NFC", text).encode("utf-8")
