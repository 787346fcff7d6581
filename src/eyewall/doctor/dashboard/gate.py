"""Who may see the dashboard, and act: decisions about a request, without one.

token      random, in the URL that is printed; whoever has it gets the cookie
cookie     derived from the token, so that it does not give the token away; HttpOnly, SameSite=Strict
Host       a name that leads here by DNS rebinding is not one of `hosts`; an address can't be rebound
Origin     a page of another origin can't ask, whatever cookies its browser would send
CSRF       what acts has a header with a second value derived from the token, which only the page knows
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from eyewall.http.url import split_host_and_port

#: Characters of a token that somebody has chosen, at least.
SHORTEST = 16
#: And at most.
LONGEST = 512
#: Characters of a Host field that are looked at.
_HOST = 300


def new_token() -> str:
    """Returns a token that can't be guessed."""
    return secrets.token_urlsafe(32)


class Gate:
    """Lets in whoever has `token`.

    `cookie`: its name. `hosts`: names by which the dashboard may be asked for, besides addresses and `localhost`; None
    where the server has names of its own and sees to that. `ancestors`: origins whose pages may show it in a frame.

    Raises ValueError for a token that is too short to be safe, or is not printable ASCII; and for an ancestor that is
    no origin.
    """

    def __init__(
        self,
        token: str,
        *,
        cookie: str = "eyewall_dashboard",
        hosts: Collection[str] | None = (),
        ancestors: Iterable[str] = (),
    ) -> None:
        if not (SHORTEST <= len(token) <= LONGEST and token.isascii() and token.isprintable()):
            raise ValueError(
                f"a token of the dashboard has {SHORTEST} to {LONGEST} printable ASCII characters: who guesses it can "
                "cancel tasks and read what the program does"
            )
        self.cookie = cookie
        self._token = token.encode()
        self._hosts = None if hosts is None else frozenset(each.lower().rstrip(".") for each in hosts)
        self._ancestors = tuple(map(_origin, ancestors))

    @property
    def pass_(self) -> str:
        """The value of the cookie."""
        return self._derived(b"cookie")

    @property
    def csrf(self) -> str:
        """What the page sends with everything that acts."""
        return self._derived(b"csrf")

    def takes_token(self, given: str) -> bool:
        """Whether this is the token."""
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token)

    def takes_pass(self, given: str | None) -> bool:
        """Whether this is the value of the cookie."""
        return given is not None and hmac.compare_digest(
            given.encode("utf-8", "replace"), self.pass_.encode()
        )

    def takes_csrf(self, given: str | None) -> bool:
        """Whether this is what the page sends with what acts."""
        return given is not None and hmac.compare_digest(given.encode("utf-8", "replace"), self.csrf.encode())

    def takes_host(self, host: str | None) -> bool:
        """Whether the dashboard may be asked for by this Host."""
        if self._hosts is None:
            return True
        if not host or len(host) > _HOST:
            return False
        name = split_host_and_port(host.lower())[0].strip("[]").rstrip(".")
        return name == "localhost" or name in self._hosts or _is_address(name)

    def takes_origin(self, origin: str | None, host: str | None, site: str | None) -> bool:
        """Whether a request may come from a page of `origin`. `site`: the header Sec-Fetch-Site.

        Browsers state both with what acts; what is no browser has no cookies of somebody else's.
        """
        if site is not None and site not in ("same-origin", "none"):
            return False
        if origin is None:
            return True
        return host is not None and urlsplit(origin).netloc.lower() == host.lower() != ""

    def fields(self) -> dict[str, str]:
        """Returns the header fields of every response."""
        ancestors = " ".join(self._ancestors) or "'none'"
        found = {
            "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            "img-src 'self' data:; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
            f"frame-ancestors {ancestors}",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
            "X-Robots-Tag": "noindex",
            "Cache-Control": "no-store",
        }
        if not self._ancestors:
            found["X-Frame-Options"] = "DENY"
        return found

    def _derived(self, what: bytes) -> str:
        return hmac.new(self._token, b"eyewall dashboard " + what, hashlib.sha256).hexdigest()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if (
        parts.scheme not in ("http", "https")
        or not parts.netloc
        or text != f"{parts.scheme}://{parts.netloc}"
    ):
        raise ValueError(f"{text!r} is no origin like http://127.0.0.1:8888")
    if not text.isascii() or any(each in text for each in " ;,'\"") or not text.isprintable():
        raise ValueError(f"{text!r} is no origin like http://127.0.0.1:8888")
    return text
