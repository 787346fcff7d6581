"""Translations, dates, numbers and lists."""

import codecs
import datetime
import logging
import struct
import subprocess
import sys

import pytest

from eyewall.web import locale
from eyewall.web.locale import CSVLocale, GettextLocale, Locale

UTC = datetime.UTC
NOW = datetime.datetime(2026, 11, 22, 18, 11, 27, tzinfo=UTC)


@pytest.fixture(autouse=True)
def own_state(monkeypatch):
    """What a test loads is gone after it."""
    for name in ("_default_code", "_translations", "_supported_locales", "_use_gettext"):
        monkeypatch.setattr(locale, name, getattr(locale, name))
    monkeypatch.setattr(Locale, "_cache", {})


@pytest.fixture
def now(monkeypatch):
    monkeypatch.setattr(locale, "_now", lambda zone: NOW.astimezone(zone))


def write(folder, **files):
    for name, content in files.items():
        (folder / f"{name}.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(folder)


def write_mo(folder, code, messages, domain="app"):
    """A catalog as gettext's `msgfmt` writes it."""
    header = "Content-Type: text/plain; charset=utf-8\nPlural-Forms: nplurals=2; plural=(n > 1);\n"
    pairs = sorted((k.encode(), v.encode()) for k, v in {"": header, **messages}.items())
    count = len(pairs)
    at = 28 + 16 * count
    tables = [b"", b""]
    data = b""
    for column in (0, 1):
        for pair in pairs:
            tables[column] += struct.pack("<II", len(pair[column]), at + len(data))
            data += pair[column] + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, count, 28, 28 + 8 * count, 0, 0)
    path = folder / code / "LC_MESSAGES"
    path.mkdir(parents=True)
    (path / f"{domain}.mo").write_bytes(head + tables[0] + tables[1] + data)


# -- choosing -----------------------------------------------------------------------------------------------


def test_nothing_is_loaded_at_first():
    assert set(locale.get_supported_locales()) == {"en_US"}
    found = locale.get("fr_FR")
    assert (found.code, found.name, found.rtl) == ("en_US", "English (US)", False)
    assert found.translate("school") == "school"
    assert found.translate("a", "b", 1) == "a"
    assert found.translate("a", "b", 0) == "b"


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (("fr_FR",), "fr_FR"),
        (("fr-FR",), "fr_FR"),
        (("FR_fr",), "fr_FR"),
        (("fr",), "en_US"),
        (("fr_CA",), "en_US"),
        (("fr_FR_x", "es_MX"), "es"),
        (("es",), "es"),
        (("es_LA", "fr_FR"), "es_LA"),
        (("xx", "", "_", "fr_", "_FR", "es-419", "fr_FR"), "es"),
        ((), "en_US"),
        (("x" * 100_000 + "_" * 100_000,), "en_US"),
    ],
)
def test_the_closest_locale(codes, expected, tmp_path):
    locale.load_translations(write(tmp_path, fr_FR="a,b", es="a,c", es_LA="a,d"))
    assert locale.get(*codes).code == expected
    assert Locale.get_closest(*codes) is locale.get(*codes)


def test_one_locale_by_its_code(tmp_path):
    locale.load_translations(write(tmp_path, fr_FR="a,b"))
    assert Locale.get("fr_FR") is Locale.get("fr_FR")
    with pytest.raises(ValueError, match="'fr' is not supported"):
        Locale.get("fr")


def test_the_default_locale(tmp_path):
    locale.load_translations(write(tmp_path, fr_FR="a,b"))
    locale.set_default_locale("fr_FR")
    assert locale.get("xx").code == "fr_FR"
    assert set(locale.get_supported_locales()) == {"fr_FR"}
    locale.set_default_locale("de_DE")
    assert locale.get("xx").code == "de_DE"
    assert set(locale.get_supported_locales()) == {"fr_FR", "de_DE"}


@pytest.mark.parametrize(
    ("code", "name", "rtl"),
    [
        ("he_IL", "עברית", True),
        ("fa_IR", "فارسی", True),
        ("ar", "Unknown", True),
        ("de_DE", "Deutsch", False),
        ("xx", "Unknown", False),
    ],
)
def test_names_and_directions(code, name, rtl):
    found = CSVLocale(code, {})
    assert (found.name, found.rtl) == (name, rtl)


def test_the_table_of_names():
    assert locale.LOCALE_NAMES["es_LA"] == {"name_en": "Spanish", "name": "Español"}
    assert len(locale.LOCALE_NAMES) == 62
    for code, names in locale.LOCALE_NAMES.items():
        assert len(code) == 5
        assert code[2] == "_"
        assert set(names) == {"name", "name_en"}
        assert all(name == name.strip() != "" for name in names.values())
    with pytest.raises(AttributeError, match="no attribute 'LOCALE'"):
        locale.LOCALE  # noqa: B018


def test_what_few_need_is_not_imported():
    code = (
        "import sys, eyewall.web.locale\n"
        "print([m for m in ('csv', 'gettext', 'eyewall.web.locale_names') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- CSV ----------------------------------------------------------------------------------------------------

FRENCH = """"school","école"
"%(n)s likes","%(n)s aime","singular"
"%(n)s like","%(n)s aiment","plural"
"alone"
"wrong","faux","bogus"
"u","v","unknown"

 a , b\x20
"e","f",""
"""


def test_csv(tmp_path, caplog):
    caplog.set_level(logging.DEBUG, "tornado.general")
    folder = write(tmp_path, fr_FR=FRENCH, pt_br="x,y", de="school,Schule")
    (tmp_path / "readme.txt").write_text("x,y")
    locale.load_translations(folder)
    french = locale.get("fr_FR")
    assert isinstance(french, CSVLocale)
    assert [french.translate(text) for text in ("school", "u", "a", "e", "wrong", "alone", "missing")] == [
        "école",
        "v",
        "b",
        "f",
        "wrong",
        "alone",
        "missing",
    ]
    assert french.translate("%(n)s likes", "%(n)s like", 1) == "%(n)s aime"
    assert french.translate("%(n)s likes", "%(n)s like", 2) == "%(n)s aiment"
    assert french.translate("%(n)s likes") == "%(n)s likes"
    assert locale.get("de").translate("school") == "Schule"
    assert [record.getMessage() for record in caplog.records] == [
        "Unrecognized plural indicator 'bogus' in fr_FR.csv line 5",
        f"Unrecognized locale 'pt_br' (path: {tmp_path / 'pt_br.csv'})",
        "Supported locales: ['de', 'en_US', 'fr_FR']",
    ]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ('"school","école"'.encode("utf-8-sig"), None),
        ('"school","école"'.encode("utf-16"), None),
        (codecs.BOM_UTF16_BE + '"school","école"'.encode("utf-16-be"), None),
        ('"school","école"'.encode("latin-1"), "latin-1"),
        ('"school","école"\r\n'.encode(), None),
    ],
)
def test_csv_encodings(content, encoding, tmp_path):
    locale.load_translations(write(tmp_path, fr_FR=content), encoding)
    assert locale.get("fr_FR").translate("school") == "école"


def test_loading_anew_replaces(tmp_path):
    locale.load_translations(write(tmp_path, fr_FR="a,b", es="a,c"))
    assert locale.get("es").translate("a") == "c"
    (tmp_path / "es.csv").unlink()
    write(tmp_path, fr_FR="a,d")
    locale.load_translations(str(tmp_path))
    assert locale.get("fr_FR").translate("a") == "d"
    assert locale.get("es").code == "en_US"
    with pytest.raises(FileNotFoundError):
        locale.load_translations(str(tmp_path / "missing"))


def test_csv_has_no_contexts(tmp_path, caplog):
    locale.load_translations(write(tmp_path, fr_FR="right,droit"))
    assert locale.get("en_US").pgettext("law", "right") == "right"
    assert not caplog.records
    assert locale.get("fr_FR").pgettext("law", "right") == "droit"
    assert locale.get("fr_FR").pgettext("law", "a", "b", 2) == "b"
    assert caplog.records[0].getMessage() == "pgettext is not supported by CSVLocale"


def test_a_plural_needs_a_count():
    with pytest.raises(TypeError, match="needs a count"):
        locale.get("en_US").translate("a", "b")


def test_locale_itself_translates_nothing():
    with pytest.raises(NotImplementedError):
        Locale("en_US")


# -- gettext ------------------------------------------------------------------------------------------------


@pytest.fixture
def french(tmp_path):
    separator = locale.CONTEXT_SEPARATOR
    write_mo(
        tmp_path,
        "fr_FR",
        {
            "school": "école",
            f"law{separator}right": "le droit",
            f"good{separator}right": "le bien",
            "day\0days": "jour\0jours",
            f"organization{separator}club\0clubs": "le club\0les clubs",
        },
    )
    locale.load_gettext_translations(str(tmp_path), "app")
    return locale.get("fr_FR")


def test_gettext(french):
    assert isinstance(french, GettextLocale)
    assert french.translate("school") == "école"
    assert french.translate("missing") == "missing"
    assert [french.translate("day", "days", count) for count in (0, 1, 2)] == ["jour", "jour", "jours"]
    assert [french.translate("x", "xs", count) for count in (0, 1, 2)] == ["xs", "x", "xs"]
    assert french.gettext("school") == "école"
    assert french.ngettext("day", "days", 2) == "jours"
    assert isinstance(locale.get("en_US"), CSVLocale)
    with pytest.raises(TypeError, match="needs a count"):
        french.translate("a", "b")


def test_gettext_contexts(french):
    assert french.pgettext("law", "right") == "le droit"
    assert french.pgettext("good", "right") == "le bien"
    assert french.pgettext("other", "right") == "right"
    assert french.pgettext("organization", "club", "clubs", 1) == "le club"
    assert french.pgettext("organization", "club", "clubs", 2) == "les clubs"
    assert french.pgettext("other", "club", "clubs", 2) == "clubs"


def test_gettext_files_that_cannot_be_used(tmp_path, caplog):
    write_mo(tmp_path, "fr_FR", {"a": "b"})
    write_mo(tmp_path, "es", {"a": "b"}, domain="other")
    write_mo(tmp_path, "de", {"a": "b"})
    write_mo(tmp_path, "it", {"a": "b"})
    (tmp_path / "de/LC_MESSAGES/app.mo").write_bytes(b"junk")
    (tmp_path / "it/LC_MESSAGES/app.mo").write_bytes(b"\xde\x12\x04\x95\0\0\0\0\xff\xff\xff\xff")
    (tmp_path / "file").write_text("")
    (tmp_path / ".git").mkdir()
    locale.load_gettext_translations(str(tmp_path), "app")
    assert set(locale.get_supported_locales()) == {"en_US", "fr_FR"}
    logged = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert [line.partition(":")[0] for line in logged] == [
        "Cannot load translation for 'de'",
        "Cannot load translation for 'it'",
    ]


# -- dates --------------------------------------------------------------------------------------------------

HOUR = 3600
DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("age", "expected", "shorter"),
    [
        (0, "0 seconds ago", None),
        (0.4, "0 seconds ago", None),
        (1, "1 second ago", None),
        (49, "49 seconds ago", None),
        (50, "1 minute ago", None),
        (90, "2 minutes ago", None),
        (150, "2 minutes ago", None),
        (49 * 60, "49 minutes ago", None),
        (50 * 60, "1 hour ago", None),
        (1.5 * HOUR, "2 hours ago", None),
        (DAY - 1, "24 hours ago", None),
        (DAY, "yesterday at 6:11 pm", "yesterday"),
        (1.5 * DAY, "yesterday at 6:11 am", "yesterday"),
        (1.9 * DAY, "Friday at 8:35 pm", "Friday"),
        (3 * DAY, "Thursday at 6:11 pm", "Thursday"),
        (5 * DAY, "November 17 at 6:11 pm", "November 17"),
        (333 * DAY, "December 24 at 6:11 pm", "December 24"),
        (334 * DAY, "December 23, 2025 at 6:11 pm", "December 23, 2025"),
        (-60, "0 seconds ago", None),
        (-61, "November 22, 2026 at 6:12 pm", "November 22, 2026"),
        (-DAY, "November 23, 2026 at 6:11 pm", "November 23, 2026"),
    ],
)
@pytest.mark.usefixtures("now")
def test_relative_dates(age, expected, shorter):
    english = locale.get("en_US")
    moment = NOW - datetime.timedelta(seconds=age)
    assert english.format_date(moment) == expected
    assert english.format_date(moment.replace(tzinfo=None)) == expected
    assert english.format_date(moment.timestamp()) == expected
    assert english.format_date(moment, shorter=True) == (shorter or expected)


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (2, "6:11 pm"),
        (DAY, "Saturday at 6:11 pm"),
        (6 * DAY, "November 16 at 6:11 pm"),
        (-30, "November 22, 2026 at 6:11 pm"),
    ],
)
@pytest.mark.usefixtures("now")
def test_absolute_dates(age, expected):
    moment = NOW - datetime.timedelta(seconds=age)
    assert locale.get("en_US").format_date(moment, relative=False) == expected


@pytest.mark.parametrize(
    ("code", "hour", "expected"),
    [
        ("en_US", 0, "April 28, 2013 at 12:35 am"),
        ("en", 12, "April 28, 2013 at 12:35 pm"),
        ("en_GB", 18, "April 28, 2013 at 18:35"),
        ("fr_FR", 6, "April 28, 2013 at 6:35"),
        ("zh_CN", 18, "April 28, 2013 at 下午6:35"),
        ("zh_CN", 0, "April 28, 2013 at 上午12:35"),
    ],
)
def test_times_of_day(code, hour, expected):
    date = datetime.datetime(2013, 4, 28, hour, 35)
    assert CSVLocale(code, {}).format_date(date, full_format=True) == expected


@pytest.mark.usefixtures("now")
def test_the_readers_clock():
    english = locale.get("en_US")
    assert english.format_date(NOW, 300, full_format=True) == "November 22, 2026 at 1:11 pm"
    assert english.format_date(NOW, -360, full_format=True) == "November 23, 2026 at 12:11 am"
    # A day ago it was Saturday here, and Sunday already six hours to the east: where it is Monday now.
    assert english.format_date(NOW - datetime.timedelta(days=1), -360) == "yesterday at 12:11 am"
    zone = datetime.timezone(datetime.timedelta(hours=-5))
    local = datetime.datetime(2020, 1, 1, 23, 5, tzinfo=zone)
    assert english.format_date(local, full_format=True) == "January 1, 2020 at 11:05 pm"
    assert english.format_date(NOW.astimezone(zone) - datetime.timedelta(seconds=2)) == "2 seconds ago"
    assert english.format_date(0, full_format=True) == "January 1, 1970 at 12:00 am"
    with pytest.raises(TypeError):
        english.format_date("today")


@pytest.mark.usefixtures("now")
def test_dates_are_translated():
    words = {
        "unknown": {
            "yesterday at %(time)s": "hier à %(time)s",
            "%(month_name)s %(day)s": "%(day)s %(month_name)s",
            "November": "novembre",
        },
        "plural": {"%(seconds)d seconds ago": "il y a %(seconds)d secondes"},
    }
    french = CSVLocale("fr_FR", words)
    assert french.format_date(NOW - datetime.timedelta(seconds=5)) == "il y a 5 secondes"
    assert french.format_date(NOW - datetime.timedelta(days=1)) == "hier à 18:11"
    assert french.format_date(NOW - datetime.timedelta(days=9), shorter=True) == "13 novembre"
    assert french.format_day(NOW, dow=False) == "22 novembre"


def test_days():
    english = locale.get("en_US")
    date = datetime.datetime(2013, 4, 28, 18, 35)
    assert english.format_day(date) == "Sunday, April 28"
    assert english.format_day(date, dow=False) == "April 28"
    assert english.format_day(datetime.datetime(2020, 1, 1), gmt_offset=60, dow=False) == "December 31"


# -- lists and numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "expected"),
    [([], ""), (["A"], "A"), (["A", "B"], "A and B"), (["A", "B", "C"], "A, B and C")],
)
def test_lists(parts, expected):
    assert locale.get("en_US").list(parts) == expected


def test_lists_elsewhere():
    assert CSVLocale("fa_IR", {}).list(["a", "b", "c"]) == "a \u0648 b and c"
    assert (
        CSVLocale("de", {"unknown": {"%(commas)s and %(last)s": "%(commas)s und %(last)s"}}).list(
            ("a", "b", "c")
        )
        == "a, b und c"
    )


@pytest.mark.parametrize(
    ("value", "expected"), [(0, "0"), (12, "12"), (1000000, "1,000,000"), (-123, "-123"), (-1234, "-1,234")]
)
def test_numbers(value, expected):
    assert locale.get("en_US").friendly_number(value) == expected
    assert CSVLocale("fr_FR", {}).friendly_number(value) == str(value)
