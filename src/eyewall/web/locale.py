"""Translations, and dates, numbers and lists as people write them.

    locale.load_translations("translations")        # once, when the program starts
    user = locale.get("es_GT", "fr")                # the first of these that there is
    user.translate("%(n)d message", "%(n)d messages", count) % {"n": count}

The texts of a program are in the default locale, and a translation maps them to another one. What is loaded
is the process's; loading anew replaces it.
"""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from eyewall.base.loggers import gen_log

if TYPE_CHECKING:
    import gettext

    from eyewall.web.locale_names import LOCALE_NAMES

__all__ = [
    "CONTEXT_SEPARATOR",
    "LOCALE_NAMES",
    "CSVLocale",
    "GettextLocale",
    "Locale",
    "get",
    "get_supported_locales",
    "load_gettext_translations",
    "load_translations",
    "set_default_locale",
]

#: Between context and message in the keys of `.mo` files.
CONTEXT_SEPARATOR = "\x04"

_default_code = "en_US"
_translations: dict[str, Any] = {}
_supported_locales = frozenset([_default_code])
_use_gettext = False

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_FILE_CODE = re.compile(r"[a-z]+(?:_[A-Z]+)?")
_PLURALS = ("plural", "singular", "unknown")
#: Locales that count hours to twelve.
_TWELVE_HOURS = ("en", "en_US", "zh_CN")


def __getattr__(name: str) -> Any:
    # Tables of names are read when somebody asks for them, not at start-up.
    if name == "LOCALE_NAMES":
        from eyewall.web.locale_names import LOCALE_NAMES

        return LOCALE_NAMES
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def get(*locale_codes: str) -> Locale:
    """Returns the locale that fits the codes best: the first of which there is the locale, or the language.

    The default locale where there is none.
    """
    return Locale.get_closest(*locale_codes)


def set_default_locale(code: str) -> None:
    """Says which locale the program's own texts are in, `code`; `en_US` until then."""
    global _default_code
    _default_code = code
    _replace(_translations, _use_gettext)


def get_supported_locales() -> Iterable[str]:
    """Returns the codes of all locales that are loaded, and the default's."""
    return _supported_locales


def _replace(translations: dict[str, Any], use_gettext: bool) -> None:
    global _translations, _supported_locales, _use_gettext
    _translations = translations
    _supported_locales = frozenset([*translations, _default_code])
    _use_gettext = use_gettext
    # Those that were made hold the translations that were loaded before.
    Locale._cache = {}
    gen_log.debug("Supported locales: %s", sorted(_supported_locales))


def load_translations(directory: str, encoding: str | None = None) -> None:
    """Loads the files `CODE.csv` (`es_GT.csv`, `de.csv`) of a directory.

    Each row is a text, its translation and, where it has both forms, `singular` or `plural`. The files are
    UTF-8, or UTF-16 with a byte order mark, unless `encoding` says otherwise. A file or row that cannot be
    used is logged and left out. Raises OSError where the directory cannot be read.
    """
    translations: dict[str, Any] = {}
    for name in sorted(os.listdir(directory)):
        code, extension = os.path.splitext(name)
        if extension != ".csv":
            continue
        path = os.path.join(directory, name)
        if not _FILE_CODE.fullmatch(code):
            gen_log.error("Unrecognized locale %r (path: %s)", code, path)
            continue
        translations[code] = _read_csv(path, encoding)
    _replace(translations, False)


def _read_csv(path: str, encoding: str | None) -> dict[str, dict[str, str]]:
    # Only for programs that load such files.
    import csv

    if encoding is None:
        with open(path, "rb") as file:
            mark = file.read(2)
        encoding = "utf-16" if mark in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    found: dict[str, dict[str, str]] = {}
    with open(path, encoding=encoding, newline="") as text:
        for number, row in enumerate(csv.reader(text), 1):
            if len(row) < 2:
                continue
            message, translation, *form = (cell.strip() for cell in row)
            plural = (form[0] if form else "") or "unknown"
            if plural not in _PLURALS:
                gen_log.error(
                    "Unrecognized plural indicator %r in %s line %d", plural, os.path.basename(path), number
                )
                continue
            found.setdefault(plural, {})[message] = translation
    return found


def load_gettext_translations(directory: str, domain: str) -> None:
    """Loads `DIRECTORY/CODE/LC_MESSAGES/DOMAIN.mo` for every CODE there is in `directory`; DOMAIN is `domain`.

    A file that cannot be used is logged and left out. Raises OSError where the directory cannot be read.
    """
    # Only for programs that load such files.
    import gettext

    translations: dict[str, Any] = {}
    for code in sorted(os.listdir(directory)):
        if not os.path.isfile(os.path.join(directory, code, "LC_MESSAGES", f"{domain}.mo")):
            continue
        try:
            translations[code] = gettext.translation(domain, directory, languages=[code])
        # A broken file can raise nearly anything, and one language must not take the others along.
        except Exception as error:  # noqa: BLE001
            gen_log.error("Cannot load translation for '%s': %s", code, error)
    _replace(translations, True)


class Locale:
    """A language and, mostly, a country: `code` is like `pt_BR`, `name` the name in the language itself.

    `rtl` says whether it is written from right to left. The texts that `format_date` and its like are made of
    go through `translate`, so that translations can have them.
    """

    _cache: ClassVar[dict[str, Locale]] = {}

    @classmethod
    def get_closest(cls, *locale_codes: str) -> Locale:
        """Returns what `get` does."""
        for code in locale_codes:
            parts = code.replace("-", "_").split("_")
            if not code or len(parts) > 2:
                continue
            language = parts[0].lower()
            if len(parts) == 2:
                country = f"{language}_{parts[1].upper()}"
                if country in _supported_locales:
                    return cls.get(country)
            if language in _supported_locales:
                return cls.get(language)
        return cls.get(_default_code)

    @classmethod
    def get(cls, code: str) -> Locale:
        """Returns the locale with exactly this code. Raises ValueError for one that is not supported."""
        found = cls._cache.get(code)
        if found is None:
            if code not in _supported_locales:
                raise ValueError(f"locale {code!r} is not supported; there are {sorted(_supported_locales)}")
            translations = _translations.get(code)
            if _use_gettext and translations is not None:
                found = GettextLocale(code, translations)
            else:
                found = CSVLocale(code, translations or {})
            cls._cache[code] = found
        return found

    def __init__(self, code: str) -> None:
        # See __getattr__ above.
        from eyewall.web.locale_names import LOCALE_NAMES

        self.code = code
        self.name = LOCALE_NAMES.get(code, {}).get("name", "Unknown")
        self.rtl = code.startswith(("fa", "ar", "he"))
        self._months = [self.translate(name) for name in _MONTHS]
        self._weekdays = [self.translate(name) for name in _WEEKDAYS]

    def translate(self, message: str, plural_message: str | None = None, count: int | None = None) -> str:
        """Returns the translation of `message`, and `message` itself where there is none.

        With `plural_message`, `count` says which of the two is meant. Raises TypeError where it is missing.
        """
        raise NotImplementedError

    def pgettext(
        self, context: str, message: str, plural_message: str | None = None, count: int | None = None
    ) -> str:
        """Returns the translation that `message` has in `context`. `plural_message`, `count` and the rest as
        with `translate`.
        """
        raise NotImplementedError

    def format_date(
        self,
        date: float | datetime.datetime,
        gmt_offset: int = 0,
        relative: bool = True,
        shorter: bool = False,
        full_format: bool = False,
    ) -> str:
        """Returns a moment as people say it: `2 minutes ago`, `yesterday at 4:15 pm`, `March 3 at 9:00`.

        `date` is seconds since the epoch, or a datetime, in UTC where it names no zone. `gmt_offset` is how
        many minutes the reader's clock is behind that, as JavaScript counts it. `relative` allows `… ago`;
        `shorter` leaves the time of day out where there is a day; `full_format` asks for day, year and time.
        """
        moment = _with_zone(date)
        now = _now(moment.tzinfo)
        if moment > now:
            # The clocks of two machines may differ a little: a moment ago for one is to come for the other.
            if relative and moment - now <= datetime.timedelta(seconds=60):
                moment = now
            else:
                full_format = True
        age = now - moment
        if relative and not full_format and age.days == 0:
            return self._ago(age.seconds)
        here = datetime.timedelta(minutes=gmt_offset)
        local = moment - here
        text = self._pattern(local, age.days, (now - here).date(), relative, shorter, full_format)
        return text % {
            "month_name": self._months[local.month - 1],
            "weekday": self._weekdays[local.weekday()],
            "day": str(local.day),
            "year": str(local.year),
            "time": self._time(local),
        }

    def _ago(self, seconds: int) -> str:
        if seconds < 50:
            return self.translate("1 second ago", "%(seconds)d seconds ago", seconds) % {"seconds": seconds}
        minutes = round(seconds / 60)
        if minutes < 50:
            return self.translate("1 minute ago", "%(minutes)d minutes ago", minutes) % {"minutes": minutes}
        hours = round(seconds / 3600)
        return self.translate("1 hour ago", "%(hours)d hours ago", hours) % {"hours": hours}

    def _pattern(
        self,
        local: datetime.datetime,
        days: int,
        today: datetime.date,
        relative: bool,
        shorter: bool,
        full_format: bool,
    ) -> str:
        """Returns the translated pattern of a date that is so many whole days ago."""
        if full_format or days >= 334:
            # From here on the month alone could be that of last year.
            day = "%(month_name)s %(day)s, %(year)s"
        elif days == 0:
            return "%(time)s"
        elif days == 1 and relative and local.date() == today - datetime.timedelta(days=1):
            day = "yesterday"
        elif days < 5:
            day = "%(weekday)s"
        else:
            day = "%(month_name)s %(day)s"
        return self.translate(day if shorter else f"{day} at %(time)s")

    def _time(self, local: datetime.datetime) -> str:
        if self.code not in _TWELVE_HOURS:
            return f"{local.hour}:{local.minute:02}"
        clock = f"{local.hour % 12 or 12}:{local.minute:02}"
        if self.code == "zh_CN":
            return ("上午", "下午")[local.hour >= 12] + clock
        return f"{clock} {('am', 'pm')[local.hour >= 12]}"

    def format_day(self, date: datetime.datetime, gmt_offset: int = 0, dow: bool = True) -> str:
        """Returns `date` as a day, `Monday, January 22`; without the day of the week unless `dow`.

        `gmt_offset` as with `format_date`.
        """
        local = date - datetime.timedelta(minutes=gmt_offset)
        pattern = "%(weekday)s, %(month_name)s %(day)s" if dow else "%(month_name)s %(day)s"
        return self.translate(pattern) % {
            "month_name": self._months[local.month - 1],
            "weekday": self._weekdays[local.weekday()],
            "day": str(local.day),
        }

    def list(self, parts: Sequence[str]) -> str:
        """Returns `A, B and C`; the empty string for no parts."""
        if len(parts) < 2:
            return parts[0] if parts else ""
        comma = " \u0648 " if self.code.startswith("fa") else ", "
        return self.translate("%(commas)s and %(last)s") % {
            "commas": comma.join(parts[:-1]),
            "last": parts[-1],
        }

    def friendly_number(self, value: int) -> str:
        """Returns `value`, an integer, with commas between thousands in English; elsewhere as it is."""
        return f"{value:,}" if self.code in ("en", "en_US") else str(value)


def _now(zone: datetime.tzinfo | None) -> datetime.datetime:
    return datetime.datetime.now(zone)


def _with_zone(date: float | datetime.datetime) -> datetime.datetime:
    if not isinstance(date, datetime.datetime):
        return datetime.datetime.fromtimestamp(date, datetime.UTC)
    return date.replace(tzinfo=datetime.UTC) if date.tzinfo is None else date


def _plural(plural_message: str | None, count: int | None) -> tuple[str, int] | None:
    """Returns the other form, and what chooses between the two; None where there is only one. Raises TypeError where
    nothing says which.
    """
    if plural_message is None:
        return None
    if count is None:
        raise TypeError("plural_message needs a count")
    return plural_message, count


class CSVLocale(Locale):
    """A locale with translations from `load_translations`: by form (`unknown`, `plural` …), then by text.
    `code` is the locale's.
    """

    def __init__(self, code: str, translations: dict[str, dict[str, str]]) -> None:
        self.translations = translations
        super().__init__(code)

    def translate(self, message: str, plural_message: str | None = None, count: int | None = None) -> str:
        """`Locale.translate`, by the form `plural` unless `count` is 1."""
        plural = _plural(plural_message, count)
        if plural is None:
            form = "unknown"
        elif count == 1:
            form = "singular"
        else:
            form, message = "plural", plural[0]
        return self.translations.get(form, {}).get(message, message)

    def pgettext(
        self, context: str, message: str, plural_message: str | None = None, count: int | None = None
    ) -> str:
        """What `translate` does, with `message`, `plural_message` and `count`: CSV files have no `context`,
        which a line in the log says.
        """
        if self.translations:
            gen_log.warning("pgettext is not supported by CSVLocale")
        return self.translate(message, plural_message, count)


class GettextLocale(Locale):
    """A locale with translations from `load_gettext_translations`. `code` is the locale's."""

    def __init__(self, code: str, translations: gettext.NullTranslations) -> None:
        self.ngettext = translations.ngettext
        self.gettext = translations.gettext
        self._translations = translations
        super().__init__(code)

    def translate(self, message: str, plural_message: str | None = None, count: int | None = None) -> str:
        """`Locale.translate`, in the form that the language has for `count`."""
        plural = _plural(plural_message, count)
        return self.gettext(message) if plural is None else self.ngettext(message, *plural)

    def pgettext(
        self, context: str, message: str, plural_message: str | None = None, count: int | None = None
    ) -> str:
        """`Locale.pgettext`, in the form that the language has for `count`; without a translation in this
        context, the text itself.
        """
        known, plural = self._translations, _plural(plural_message, count)
        return (
            known.pgettext(context, message) if plural is None else known.npgettext(context, message, *plural)
        )
