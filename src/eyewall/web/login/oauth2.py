"""OAuth 2.0 (RFC 6749), the flow of web applications: the visitor's consent, a code, an access token."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from eyewall.http.url import url_concat
from eyewall.web.login.answers import read_json
from eyewall.web.login.parties import ask, form_of, handler_of, shared_client

if TYPE_CHECKING:
    from eyewall.client.simple import AsyncHTTPClient


class OAuth2Mixin:
    """Sends visitors to a provider that speaks OAuth 2, and asks it things for them.

    A subclass has the class attributes `_OAUTH_AUTHORIZE_URL` and `_OAUTH_ACCESS_TOKEN_URL`.
    """

    def authorize_redirect(
        self,
        redirect_uri: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        extra_params: dict[str, Any] | None = None,
        scope: list[str] | None = None,
        response_type: str = "code",
    ) -> None:
        """Sends the visitor to the provider, who sends him back to `redirect_uri` (RFC 6749 section 4.1.1).

        That must be, to the letter, what is registered there. `client_id`: the application's. `scope`: what
        access is asked for. `extra_params` are added; put a `state` among them, kept in a signed cookie, and
        compare it when the visitor comes back. `response_type`: what the visitor is to come back with (RFC 6749
        section 3.1.1). `client_secret` is not used, and deprecated.
        """
        if client_secret is not None:
            warnings.warn(
                "the client_secret of authorize_redirect is not used, and deprecated",
                DeprecationWarning,
                stacklevel=2,
            )
        known = {"response_type": response_type, "redirect_uri": redirect_uri, "client_id": client_id}
        arguments: dict[str, Any] = {name: value for name, value in known.items() if value is not None}
        arguments |= extra_params or {}
        if scope:
            arguments["scope"] = " ".join(scope)
        url: str = self._OAUTH_AUTHORIZE_URL  # type: ignore[attr-defined]
        handler_of(self).redirect(url_concat(url, arguments))

    async def oauth2_request(
        self,
        url: str,
        access_token: str | None = None,
        post_args: dict[str, Any] | None = None,
        **args: Any,
    ) -> Any:
        """Returns what the provider answers at `url`, from JSON.

        `access_token` and `args` go into the query. With `post_args` the request is a POST, and they are its form.
        Raises BadProviderAnswer, and what the HTTP client raises.
        """
        query = ({"access_token": access_token} if access_token else {}) | args
        form = form_of(post_args) if post_args is not None else None
        return read_json(
            await ask(self.get_auth_http_client(), url_concat(url, query) if query else url, form)
        )

    def get_auth_http_client(self) -> AsyncHTTPClient:
        """Override it to return another HTTP client for the provider than this loop's."""
        return shared_client()
