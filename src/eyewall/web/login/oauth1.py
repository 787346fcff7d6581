"""OAuth 1.0 and 1.0a (RFC 5849): a request token, the visitor's consent, an access token.

The request token and its secret wait in a cookie while the visitor is with the provider; what comes back must name
the same token, so that nobody can be made to finish a login that somebody else began.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import time
from typing import TYPE_CHECKING, Any

from eyewall.http.url import url_concat
from eyewall.web.login.answers import read_token
from eyewall.web.login.errors import AuthError
from eyewall.web.login.parties import ask, handler_of, own_url, shared_client
from eyewall.web.login.signature import base_string, hmac_sha1

if TYPE_CHECKING:
    from eyewall.client.simple import AsyncHTTPClient

COOKIE = "_oauth_request_token"
#: Says to a provider that there is no address to return to: the visitor types in a number instead.
OUT_OF_BAND = "oob"


class OAuthMixin:
    """Logs in with a provider that speaks OAuth 1. A subclass says which, by these class attributes:

    `_OAUTH_REQUEST_TOKEN_URL`, `_OAUTH_AUTHORIZE_URL`, `_OAUTH_ACCESS_TOKEN_URL`: the provider's addresses.
    `_OAUTH_VERSION`: "1.0" or "1.0a", which is the default.
    `_OAUTH_NO_CALLBACKS`: true for a provider that has addresses to return to registered beforehand.

    and by the methods `_oauth_consumer_token` and `_oauth_get_user_future`.
    """

    async def authorize_redirect(
        self,
        callback_uri: str | None = None,
        extra_params: dict[str, Any] | None = None,
        http_client: AsyncHTTPClient | None = None,
    ) -> None:
        """Gets a request token and sends the visitor to the provider, who sends him back to `callback_uri`.

        That may be relative to this request, or "oob". `extra_params` go into the request for the token, in
        version 1.0a. `http_client`: who asks the provider, by default `get_auth_http_client`. The response is
        finished then.

        Raises BadProviderAnswer, and what the HTTP client raises.
        """
        await self._begin_oauth(
            self._OAUTH_AUTHORIZE_URL,  # type: ignore[attr-defined]
            callback_uri,
            extra_params,
            http_client,
            tell_callback=True,
        )

    async def get_authenticated_user(self, http_client: AsyncHTTPClient | None = None) -> dict[str, Any]:
        """Returns the user that came back from the provider: what `_oauth_get_user_future` makes of him, with his
        `access_token`, a dict with `key` and `secret`.

        `http_client` as with `authorize_redirect`. Raises AuthError where this visitor has not begun to log in,
        began with another token, or nobody is found; MissingArgumentError without an `oauth_token`;
        BadProviderAnswer, and what the HTTP client raises.
        """
        handler = handler_of(self)
        returned = handler.get_argument("oauth_token")
        verifier = handler.get_argument("oauth_verifier", None)
        cookie = handler.get_cookie(COOKIE)
        if not cookie:
            raise AuthError("Missing OAuth request token cookie")
        handler.clear_cookie(COOKIE)
        token = _read_cookie(cookie)
        if not hmac.compare_digest(token["key"].encode("utf-8"), returned.encode("utf-8")):
            raise AuthError("Request token does not match cookie")
        extra = {"oauth_verifier": verifier} if verifier else {}
        url: str = self._OAUTH_ACCESS_TOKEN_URL  # type: ignore[attr-defined]
        body = await ask(
            http_client or self.get_auth_http_client(), self._oauth_signed_url(url, token, extra)
        )
        access_token = read_token(body)
        user = await self._oauth_get_user_future(access_token)
        if user:
            user["access_token"] = access_token
            return user
        raise AuthError("Error getting user")

    def get_auth_http_client(self) -> AsyncHTTPClient:
        """Override it to return another HTTP client for the provider than this loop's."""
        return shared_client()

    # -- what subclasses say ----------------------------------------------------------------------------

    def _oauth_consumer_token(self) -> dict[str, Any]:
        """Returns what the provider knows this application by: a dict with `key` and `secret`."""
        raise NotImplementedError

    async def _oauth_get_user_future(self, access_token: dict[str, Any]) -> dict[str, Any]:
        """Returns a dict about the user that `access_token` belongs to; an empty one for nobody."""
        raise NotImplementedError

    def _oauth_request_parameters(
        self,
        url: str,
        access_token: dict[str, Any],
        parameters: dict[str, Any] = {},  # noqa: B006
        method: str = "GET",
    ) -> dict[str, Any]:
        """Returns the parameters to add to a request, signature included, that is made for a user.

        `parameters` are all the others of the request, in its query or in a form that is its body.
        """
        return self._oauth_sign(url, access_token, parameters, method)

    # -- the protocol -----------------------------------------------------------------------------------

    async def _begin_oauth(
        self,
        destination: str,
        callback_uri: str | None,
        extra_params: dict[str, Any] | None,
        http_client: AsyncHTTPClient | None,
        tell_callback: bool,
    ) -> None:
        """What `authorize_redirect` does; `destination` is where the visitor goes, `tell_callback` whether the
        address to return to goes with him.
        """
        if callback_uri and getattr(self, "_OAUTH_NO_CALLBACKS", False):
            raise AuthError("This service does not support oauth_callback")
        handler = handler_of(self)
        callback = (
            own_url(self, callback_uri) if callback_uri and callback_uri != OUT_OF_BAND else callback_uri
        )
        extra: dict[str, Any] = {}
        if getattr(self, "_OAUTH_VERSION", "1.0a") == "1.0a":
            if callback:
                extra["oauth_callback"] = callback
            extra.update(extra_params or {})
        url: str = self._OAUTH_REQUEST_TOKEN_URL  # type: ignore[attr-defined]
        token = read_token(
            await ask(http_client or self.get_auth_http_client(), self._oauth_signed_url(url, None, extra))
        )
        handler.set_cookie(
            COOKIE,
            _cookie_of(token),
            httponly=True,
            samesite="Lax",
            secure=handler.request.protocol == "https",
        )
        arguments = {"oauth_token": token["key"]}
        out_of_band = tell_callback and callback == OUT_OF_BAND
        if tell_callback and callback and not out_of_band:
            arguments["oauth_callback"] = callback
        target = url_concat(destination, dict(arguments))
        if out_of_band:
            await handler.finish(target)
        else:
            handler.redirect(target)

    def _oauth_signed_url(self, url: str, token: dict[str, Any] | None, extra: dict[str, Any]) -> str:
        """`url` with the parameters of a signed GET. `extra`: further ones, of the protocol or not."""
        return url_concat(url, {**extra, **self._oauth_sign(url, token, extra, "GET")})

    def _oauth_sign(
        self, url: str, token: dict[str, Any] | None, parameters: dict[str, Any], method: str
    ) -> dict[str, Any]:
        consumer = self._oauth_consumer_token()
        protocol: dict[str, Any] = {"oauth_consumer_key": consumer["key"]}
        if token is not None:
            protocol["oauth_token"] = token["key"]
        protocol.update(
            oauth_signature_method="HMAC-SHA1",
            oauth_timestamp=str(int(time.time())),
            oauth_nonce=secrets.token_hex(16),
            oauth_version="1.0",
        )
        text = base_string(method, url, {**parameters, **protocol})
        protocol["oauth_signature"] = hmac_sha1(
            text, consumer["secret"], token["secret"] if token is not None else ""
        )
        return protocol


def _cookie_of(token: dict[str, Any]) -> str:
    parts = (token["key"], token["secret"])
    return "|".join(base64.b64encode(part.encode("utf-8")).decode("ascii") for part in parts)


def _read_cookie(cookie: str) -> dict[str, Any]:
    try:
        key, secret = (base64.b64decode(part, validate=True).decode("utf-8") for part in cookie.split("|"))
    except (binascii.Error, ValueError) as error:
        raise AuthError("The OAuth request token cookie is not one of ours") from error
    return {"key": key, "secret": secret}
