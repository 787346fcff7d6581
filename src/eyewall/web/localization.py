"""In which language a handler answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from eyewall.http.negotiation import parse_qualities

if TYPE_CHECKING:
    from eyewall.http.request import HTTPServerRequest
    from eyewall.web import locale as locales


class _Host(Protocol):
    """What the mixin needs of the handler it is part of."""

    _locale: locales.Locale | None

    @property
    def request(self) -> HTTPServerRequest: ...
    def get_user_locale(self) -> locales.Locale | None: ...
    def get_browser_locale(self) -> locales.Locale: ...


class LocaleMixin:
    """`locale`, and what applications override to choose it. Nothing is read before somebody asks."""

    _locale: locales.Locale | None = None

    @property
    def locale(self: _Host) -> locales.Locale:
        """The locale of this request: the user's, if `get_user_locale` knows it, otherwise the browser's.

        It is found once; a `prepare` that needs to await something may assign it instead.
        """
        found = self._locale
        if found is None:
            found = self._locale = self.get_user_locale() or self.get_browser_locale()
        return found

    @locale.setter
    def locale(self, value: locales.Locale) -> None:
        self._locale = value

    def get_user_locale(self) -> locales.Locale | None:
        """Override it to say what the user has chosen; None where that is not known. Not a coroutine."""
        return None

    def get_browser_locale(self: _Host, default: str = "en_US") -> locales.Locale:
        """Returns the best locale for the request's Accept-Language, or `default` (RFC 9110 section 12.5.4).

        Languages count in the order of their qualities; those with quality 0, or one that cannot be read,
        don't.
        """
        # Only who asks for a locale pays for what there is to say in it.
        from eyewall.web import locale as locales

        header = self.request.headers.get("Accept-Language")
        if not header:
            return locales.get(default)
        wanted = [(quality, language) for language, quality in parse_qualities(header) if quality > 0]
        wanted.sort(key=lambda found: found[0], reverse=True)
        codes = [language.partition(";")[0].strip() for _, language in wanted]
        return locales.get(*codes) if codes else locales.get(default)
