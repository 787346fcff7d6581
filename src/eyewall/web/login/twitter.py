"""Twitter's accounts, over OAuth 1.0a and version 1.1 of its API, which Twitter itself has given up."""

from __future__ import annotations

from typing import Any

from eyewall.http.url import url_concat
from eyewall.web.login.answers import read_json
from eyewall.web.login.oauth1 import OAuthMixin
from eyewall.web.login.parties import ask, form_of, handler_of


class TwitterMixin(OAuthMixin):
    """Logs in with Twitter. Deprecated: it speaks a version of the API that hardly anybody may use any more.

    Needs the settings `twitter_consumer_key` and `twitter_consumer_secret`. The users that `get_authenticated_user`
    returns are as Twitter describes them, with `username` and `access_token`.
    """

    _OAUTH_REQUEST_TOKEN_URL = "https://api.twitter.com/oauth/request_token"  # noqa: S105 - an address
    _OAUTH_ACCESS_TOKEN_URL = "https://api.twitter.com/oauth/access_token"  # noqa: S105 - an address
    _OAUTH_AUTHORIZE_URL = "https://api.twitter.com/oauth/authorize"
    _OAUTH_AUTHENTICATE_URL = "https://api.twitter.com/oauth/authenticate"
    _OAUTH_NO_CALLBACKS = False
    _TWITTER_BASE_URL = "https://api.twitter.com/1.1"

    async def authenticate_redirect(self, callback_uri: str | None = None) -> None:
        """What `authorize_redirect` does, with `callback_uri`, but who has agreed before is sent back without
        being asked again.
        """
        await self._begin_oauth(self._OAUTH_AUTHENTICATE_URL, callback_uri, None, None, tell_callback=False)

    async def twitter_request(
        self,
        path: str,
        access_token: dict[str, Any],
        post_args: dict[str, Any] | None = None,
        **args: Any,
    ) -> Any:
        """Returns what the API answers at `path`, like '/statuses/update', or at a whole URL, for the user whose
        `access_token` is given.

        `args` go into the query. With `post_args` the request is a POST, and they are its form. Raises
        BadProviderAnswer, and what the HTTP client raises.
        """
        url = path if path.startswith(("http:", "https:")) else f"{self._TWITTER_BASE_URL}{path}.json"
        query = dict(args)
        if access_token:
            method = "GET" if post_args is None else "POST"
            signed = {**args, **(post_args or {})}
            query.update(self._oauth_request_parameters(url, access_token, signed, method=method))
        form = form_of(post_args) if post_args is not None else None
        return read_json(
            await ask(self.get_auth_http_client(), url_concat(url, query) if query else url, form)
        )

    def _oauth_consumer_token(self) -> dict[str, Any]:
        handler = handler_of(self)
        for name in ("twitter_consumer_key", "twitter_consumer_secret"):
            handler.require_setting(name, "Twitter OAuth")
        settings = handler.settings
        return {"key": settings["twitter_consumer_key"], "secret": settings["twitter_consumer_secret"]}

    async def _oauth_get_user_future(self, access_token: dict[str, Any]) -> dict[str, Any]:
        user = await self.twitter_request("/account/verify_credentials", access_token=access_token)
        if not isinstance(user, dict):
            return {}
        if user:
            user["username"] = user.get("screen_name")
        return user
