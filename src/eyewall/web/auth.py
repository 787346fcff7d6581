"""Who makes the request: the current user of a handler, and where one who is not known logs in."""

from __future__ import annotations

from typing import Any

from eyewall.web.settings import SettingsMixin


class _NotAsked:
    """The current user before anything asked for it; None is an answer."""


_NOT_ASKED = _NotAsked()


class AuthMixin(SettingsMixin):
    """`current_user` and what applications override to provide it."""

    _user: Any = _NOT_ASKED

    @property
    def current_user(self) -> Any:
        """The authenticated user of this request, falsy for none.

        Comes from `get_current_user` when it is first read; a `prepare` that needs to await something may
        assign it instead.
        """
        user = self._user
        if user is _NOT_ASKED:
            user = self._user = self.get_current_user()
        return user

    @current_user.setter
    def current_user(self, value: Any) -> None:
        self._user = value

    def get_current_user(self) -> Any:
        """Override it to say who is logged in, from a signed cookie for example. It cannot be a coroutine."""
        return None

    def get_login_url(self) -> str:
        """Returns where `authenticated` sends those who are not logged in: the setting `login_url`.

        Raises MissingSettingError without that setting.
        """
        self.require_setting("login_url", "@tornado.web.authenticated")
        url: str = self.application.settings["login_url"]
        return url
