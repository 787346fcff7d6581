"""OpenID 2.0 with Attribute Exchange 1.0, the stateless way: the provider is asked whether it was it that answered.

Section numbers are those of OpenID Authentication 2.0.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from eyewall.http.url import url_concat
from eyewall.web.login.errors import AuthError
from eyewall.web.login.parties import ask, form_of, handler_of, own_url, shared_client

if TYPE_CHECKING:
    from eyewall.client.simple import AsyncHTTPClient

NAMESPACE = "http://specs.openid.net/auth/2.0"
ANYBODY = "http://specs.openid.net/auth/2.0/identifier_select"
EXCHANGE = "http://openid.net/srv/ax/1.0"
#: Attributes: what we call them in requests, and their types.
ATTRIBUTES = {
    "firstname": "http://axschema.org/namePerson/first",
    "fullname": "http://axschema.org/namePerson",
    "lastname": "http://axschema.org/namePerson/last",
    "language": "http://axschema.org/pref/language",
    "email": "http://axschema.org/contact/email",
    "username": "http://axschema.org/namePerson/friendly",
}
#: What programs may ask for, and which attributes that means.
_ASKED = {
    "name": ("firstname", "fullname", "lastname"),
    "email": ("email",),
    "language": ("language",),
    "username": ("username",),
}
#: Answers that mean no (sections 10.2 and 11.2).
_REFUSALS = frozenset({"cancel", "error", "setup_needed"})
_DEPRECATION = "OpenIdMixin is deprecated and will be removed in Tornado 6.7"


class OpenIdMixin:
    """Logs in with one provider that speaks OpenID. A subclass has its address as `_OPENID_ENDPOINT`.

    Deprecated: providers have moved to OpenID Connect, which is OAuth 2.
    """

    def __init__(self) -> None:
        super().__init__()
        warnings.warn(_DEPRECATION, DeprecationWarning, stacklevel=2)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # A handler's constructor does not pass the call on to the mixins behind it, which no request has to pay for.
        construct = cls.__init__
        if construct is not OpenIdMixin.__init__ and not hasattr(construct, "warns_of_openid"):
            cls.__init__ = _warning(construct)  # type: ignore[method-assign]

    def authenticate_redirect(
        self,
        callback_uri: str | None = None,
        ax_attrs: list[str] = ["name", "email", "language", "username"],  # noqa: B006
    ) -> None:
        """Sends the visitor to the provider, who sends him back to `callback_uri` (default: this very URL).

        `ax_attrs`: what is asked about him, of "name", "email", "language" and "username"; another one is a
        KeyError.
        """
        handler = handler_of(self)
        callback = own_url(self, callback_uri or handler.request.uri)
        # The provider's address is looked up first: without one there is nothing to do.
        endpoint: str = self._OPENID_ENDPOINT  # type: ignore[attr-defined]
        handler.redirect(url_concat(endpoint, _login_request(callback, ax_attrs)))

    async def get_authenticated_user(self, http_client: AsyncHTTPClient | None = None) -> dict[str, Any]:
        """Returns the user that came back from the provider, once that has confirmed it (section 11.4.2).

        Of `first_name`, `last_name`, `name`, `email`, `locale`, `username` and `claimed_id` the dict has what
        is known. Attributes that the provider has not signed do not count, where it says what it has signed.

        `http_client`: who asks the provider, by default `get_auth_http_client`. Raises AuthError where the
        visitor or the provider refused, the answer was meant for another site, or it is not the provider's; and
        what the HTTP client raises.
        """
        handler = handler_of(self)
        answer = _fields_of(handler.request.arguments)
        if answer.get("openid.mode") in _REFUSALS:
            raise AuthError(f"The OpenID provider refused: {answer['openid.mode']}")
        _check_destination(answer, handler.request.full_url())
        question = form_of({**answer, "openid.mode": "check_authentication"})
        endpoint: str = self._OPENID_ENDPOINT  # type: ignore[attr-defined]
        verdict = await ask(http_client or self.get_auth_http_client(), endpoint, question)
        if b"is_valid:true" not in verdict.split(b"\n"):
            raise AuthError(f"Invalid OpenID response: {verdict[:200]!r}")
        return _user_of(_signed(answer))

    def get_auth_http_client(self) -> AsyncHTTPClient:
        """Override it to return another HTTP client for the provider than this loop's."""
        return shared_client()


def _warning(construct: Any) -> Any:
    @functools.wraps(construct)
    def warn_and_construct(self: Any, *args: Any, **kwargs: Any) -> None:
        construct(self, *args, **kwargs)
        warnings.warn(_DEPRECATION, DeprecationWarning, stacklevel=2)

    warn_and_construct.warns_of_openid = True  # type: ignore[attr-defined]
    return warn_and_construct


def _login_request(callback: str, wanted: list[str]) -> dict[str, Any]:
    """The fields of a request for a login (section 9.1)."""
    request = {
        "openid.ns": NAMESPACE,
        "openid.claimed_id": ANYBODY,
        "openid.identity": ANYBODY,
        "openid.return_to": callback,
        "openid.realm": urljoin(callback, "/"),
        "openid.mode": "checkid_setup",
    }
    if wanted:
        names = [name for name in ATTRIBUTES if any(name in _ASKED[one] for one in wanted)]
        request["openid.ns.ax"] = EXCHANGE
        request["openid.ax.mode"] = "fetch_request"
        for name in names:
            request[f"openid.ax.type.{name}"] = ATTRIBUTES[name]
        request["openid.ax.required"] = ",".join(names)
    return dict(request)


def _fields_of(arguments: Mapping[str, list[bytes]]) -> dict[str, str]:
    """The fields of the provider's answer; one that comes twice is an error, as section 4.1 has it."""
    answer = {}
    for name, values in arguments.items():
        if not name.startswith("openid."):
            continue
        if len(values) != 1:
            raise AuthError(f"{name} is {len(values)} times in the OpenID answer")
        try:
            answer[name] = values[0].decode("utf-8")
        except UnicodeDecodeError as error:
            raise AuthError(f"{name} in the OpenID answer is not UTF-8") from error
    return answer


def _check_destination(answer: Mapping[str, str], here: str) -> None:
    """An answer that the provider gave another site, which passes it on as its own, ends here (section 11.1).

    The scheme is left out: a proxy may have changed it.
    """
    meant = answer.get("openid.return_to")
    if meant is None:
        return
    if urlsplit(meant)[1:3] != urlsplit(here)[1:3]:
        raise AuthError("The OpenID answer was meant for another address")


def _signed(answer: Mapping[str, str]) -> dict[str, str]:
    """The fields that the provider vouches for."""
    listed = answer.get("openid.signed")
    if listed is None:
        return dict(answer)
    names = {f"openid.{name}" for name in listed.split(",")}
    return {name: value for name, value in answer.items() if name in names}


def _user_of(answer: Mapping[str, str]) -> dict[str, Any]:
    found = _attributes(answer)
    first, last, email = found.get("firstname"), found.get("lastname"), found.get("email")
    name = found.get("fullname") or " ".join(part for part in (first, last) if part)
    if not name and email:
        name = email.partition("@")[0]
    user = {
        "first_name": first,
        "last_name": last,
        "name": name,
        "email": email,
        "locale": found.get("language", "").lower(),
        "username": found.get("username"),
        "claimed_id": answer.get("openid.claimed_id"),
    }
    return {key: value for key, value in user.items() if value}


def _attributes(answer: Mapping[str, str]) -> dict[str, str]:
    """What Attribute Exchange told, by our names. The provider chooses the prefix of its fields, and the names."""
    prefixes = [
        name.removeprefix("openid.ns.")
        for name, value in answer.items()
        if value == EXCHANGE and name.startswith("openid.ns.")
    ]
    if not prefixes:
        return {}
    start = f"openid.{prefixes[0]}."
    names = {uri: name for name, uri in ATTRIBUTES.items()}
    found = {}
    for field, value in answer.items():
        if field.startswith(f"{start}type.") and value in names:
            alias = field.removeprefix(f"{start}type.")
            # With a count, values are numbered; we never ask for more than one.
            told = answer.get(f"{start}value.{alias}") or answer.get(f"{start}value.{alias}.1")
            if told:
                found[names[value]] = told
    return found
