"""Google's accounts, over OAuth 2."""

from __future__ import annotations

from typing import Any

from eyewall.web.login.answers import read_json_object
from eyewall.web.login.oauth2 import OAuth2Mixin
from eyewall.web.login.parties import ask, form_of, handler_of


class GoogleOAuth2Mixin(OAuth2Mixin):
    """Logs in with Google.

    Register the application in Google's console as a web application, with the `redirect_uri` that is used here,
    and put its ID and secret into the setting `google_oauth`: `{"key": CLIENT_ID, "secret": CLIENT_SECRET}`.
    """

    _OAUTH_AUTHORIZE_URL = "https://accounts.google.com/o/oauth2/v2/auth"
    _OAUTH_ACCESS_TOKEN_URL = "https://www.googleapis.com/oauth2/v4/token"  # noqa: S105 - an address
    _OAUTH_USERINFO_URL = "https://www.googleapis.com/oauth2/v1/userinfo"
    _OAUTH_NO_CALLBACKS = False
    #: The setting that `get_google_oauth_settings` returns.
    _OAUTH_SETTINGS_KEY = "google_oauth"

    def get_google_oauth_settings(self) -> dict[str, str]:
        """Returns ID and secret of the application. Override it where they are not in the setting, whose absence is
        a KeyError.
        """
        settings: dict[str, str] = handler_of(self).settings[self._OAUTH_SETTINGS_KEY]
        return settings

    async def get_authenticated_user(
        self,
        redirect_uri: str,
        code: str,
        client_id: str | None = None,
        client_secret: str | None = None,
    ) -> dict[str, Any]:
        """Returns what Google gives for the `code` that a visitor came back with: a dict with an `access_token`, and
        with whatever else the scopes bring, like an `id_token`.

        `redirect_uri` is the one that the visitor was sent away with. `client_id` and `client_secret` are by
        default those of `get_google_oauth_settings`. Who it is can be asked of `_OAUTH_USERINFO_URL`, with
        `oauth2_request`. Raises BadProviderAnswer, and what the HTTP client raises.
        """
        if client_id is None or client_secret is None:
            known = self.get_google_oauth_settings()
            client_id = known["key"] if client_id is None else client_id
            client_secret = known["secret"] if client_secret is None else client_secret
        form = form_of(
            {
                "redirect_uri": redirect_uri,
                "code": code,
                "client_id": client_id,
                "client_secret": client_secret,
                "grant_type": "authorization_code",
            }
        )
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = await ask(self.get_auth_http_client(), self._OAUTH_ACCESS_TOKEN_URL, form, headers=headers)
        return read_json_object(body)
