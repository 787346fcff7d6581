"""The application's settings, as a handler reads them."""

from __future__ import annotations

from typing import Any

from eyewall.web.errors import MissingSettingError
from eyewall.web.interfaces import ApplicationView


class SettingsMixin:
    """What every other mixin of a handler builds on."""

    application: ApplicationView

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the application that serves this request."""
        return self.application.settings

    def require_setting(self, name: str, feature: str = "this feature") -> None:
        """Raises MissingSettingError unless the setting `name` is there and true; `feature` says what needs
        it."""
        if not self.application.settings.get(name):
            raise MissingSettingError(name, feature)
