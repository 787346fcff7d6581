"""In which language a handler answers."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.web import locale
from eyewall.web.locale import CSVLocale, Locale
from eyewall.web.localization import LocaleMixin


@pytest.fixture(autouse=True)
def supported(monkeypatch):
    monkeypatch.setattr(locale, "_supported_locales", frozenset({"en_US", "fr_FR", "de_DE", "es", "pt_BR"}))
    monkeypatch.setattr(Locale, "_cache", {})


def handler(accept=None, kind=LocaleMixin):
    made = kind()
    made.request = SimpleNamespace(headers={} if accept is None else {"Accept-Language": accept})
    return made


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, "en_US"),
        ("", "en_US"),
        (",,", "en_US"),
        ("*", "en_US"),
        ("fr-FR", "fr_FR"),
        ("FR-fr", "fr_FR"),
        ("fr_FR", "fr_FR"),
        ("fr-FR;q=0.9", "fr_FR"),
        ("fr-FR; q=0.9", "fr_FR"),
        ("fr-FR;q=0.5, de-DE;q=0.8", "de_DE"),
        ("fr-FR;q=0.5,de-DE;q=0.5", "fr_FR"),
        ("fr-FR;Q=0.2,de-DE;q=0.3", "de_DE"),
        ("es-MX,fr-FR;q=0.9", "es"),
        ("de", "en_US"),
        ("xx,yy;q=0.9,pt-BR;q=0.1", "pt_BR"),
        ("fr-FR;q=0", "en_US"),
        ("fr-FR;q=-1", "en_US"),
        ("en-US;q=0,fr-FR;q=0.1", "fr_FR"),
        ("fr-FR;q=abc, de-DE", "de_DE"),
        ("fr-FR;q=nan,de-DE;q=0.3", "de_DE"),
        ("fr-FR;q=inf,de-DE;q=0.3", "de_DE"),
        ("fr-FR;foo=bar", "fr_FR"),
        ("fr-FR-x-y,de-DE;q=0.1", "de_DE"),
    ],
)
def test_the_browsers_locale(header, expected):
    assert handler(header).get_browser_locale().code == expected
    assert handler(header).locale.code == expected


def test_the_default():
    assert handler().get_browser_locale("es").code == "es"
    assert handler("xx;q=0").get_browser_locale("es").code == "es"
    assert handler().get_browser_locale("xx").code == "en_US"


def test_the_users_locale_comes_first():
    class Handler(LocaleMixin):
        asked = 0
        answer = None

        def get_user_locale(self):
            self.asked += 1
            return self.answer

    known = handler("de-DE", Handler)
    known.answer = locale.get("fr_FR")
    assert known.locale.code == "fr_FR"
    assert known.locale.code == "fr_FR"
    assert known.asked == 1
    assert handler("de-DE", Handler).locale.code == "de_DE"


def test_the_locale_can_be_assigned():
    class Handler(LocaleMixin):
        def get_user_locale(self):
            raise AssertionError

        get_browser_locale = get_user_locale

    assigned = handler(kind=Handler)
    assigned.locale = CSVLocale("pt_BR", {})
    assert assigned.locale.code == "pt_BR"


@given(st.text(st.sampled_from("frFRdeE-_;q=,.019* \t\"'")))
def test_any_header_gives_a_locale(header):
    assert handler(header).locale.code in locale.get_supported_locales()


def test_many_languages():
    header = ",".join(f"x{i % 7}-{i};q=0.{i % 9 + 1}" for i in range(20_000)) + ",fr-FR;q=0.001"
    assert handler(header).locale.code == "fr_FR"
