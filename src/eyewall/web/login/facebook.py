"""Facebook's accounts, over OAuth 2 and the Graph API."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from typing import Any

from eyewall.http.url import url_concat
from eyewall.web.login.answers import read_json_object
from eyewall.web.login.errors import BadProviderAnswer
from eyewall.web.login.oauth2 import OAuth2Mixin
from eyewall.web.login.parties import ask

#: What is asked about a user.
FIELDS = ("id", "name", "first_name", "last_name", "locale", "picture", "link")


class FacebookGraphMixin(OAuth2Mixin):
    """Logs in with Facebook, and asks its Graph API things."""

    _OAUTH_AUTHORIZE_URL = "https://www.facebook.com/dialog/oauth"
    _OAUTH_ACCESS_TOKEN_URL = "https://graph.facebook.com/oauth/access_token"  # noqa: S105 - an address
    _OAUTH_NO_CALLBACKS = False
    _FACEBOOK_BASE_URL = "https://graph.facebook.com"

    async def get_authenticated_user(
        self,
        redirect_uri: str,
        client_id: str,
        client_secret: str,
        code: str,
        extra_fields: Iterable[str] | None = None,
    ) -> dict[str, Any] | None:
        """Returns the user that came back with `code`, or None if Facebook knows nobody.

        A dict with `access_token`, `session_expires` (seconds, as text), and of the user `FIELDS` and
        `extra_fields`, None for those that Facebook does not tell. `redirect_uri` is the one that the visitor
        was sent away with; `client_id` and `client_secret` are those of the application.

        Raises BadProviderAnswer, and what the HTTP client raises.
        """
        query = {
            "redirect_uri": redirect_uri,
            "code": code,
            "client_id": client_id,
            "client_secret": client_secret,
        }
        session = read_json_object(
            await ask(self.get_auth_http_client(), url_concat(self._OAUTH_ACCESS_TOKEN_URL, dict(query)))
        )
        token = session.get("access_token")
        if not isinstance(token, str) or not token:
            raise BadProviderAnswer("there is no access_token in the provider's answer")
        # Proves that it is the application that asks, to those that demand it.
        proof = hmac.new(client_secret.encode("utf-8"), token.encode("utf-8"), hashlib.sha256).hexdigest()
        fields = sorted({*FIELDS, *(extra_fields or ())})
        found = await self.facebook_request(
            "/me", access_token=token, appsecret_proof=proof, fields=",".join(fields)
        )
        if found is None:
            return None
        if not isinstance(found, dict):
            raise BadProviderAnswer(f"the provider's answer is no JSON object but {type(found).__name__}")
        user: dict[str, Any] = {name: found.get(name) for name in fields}
        user["access_token"] = token
        user["session_expires"] = str(session.get("expires_in"))
        return user

    async def facebook_request(
        self,
        path: str,
        access_token: str | None = None,
        post_args: dict[str, Any] | None = None,
        **args: Any,
    ) -> Any:
        """Returns what the Graph API answers at `path`, '/me/feed' for example. `access_token`, `post_args` and
        `args` as with `oauth2_request`, and so is what is raised.
        """
        return await self.oauth2_request(
            self._FACEBOOK_BASE_URL + path, access_token=access_token, post_args=post_args, **args
        )
