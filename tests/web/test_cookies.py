import datetime
import http.cookies
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eyewall.http.cookies import parse_cookie
from eyewall.web.auth import AuthMixin
from eyewall.web.cookies import CookiesMixin, format_cookie
from eyewall.web.errors import MissingSettingError
from eyewall.web.signing import create_signed_value
from tests.web.stubs import assemble

SECRET = {"cookie_secret": "s"}


def page(cookies="", **settings):
    return assemble(CookiesMixin, AuthMixin, settings=settings, cookies=cookies)


def set_cookie(*args, **kwargs):
    h = page()
    h.set_cookie(*args, **kwargs)
    (header,) = h._cookie_headers()
    return header


@pytest.mark.parametrize(
    ("kwargs", "header"),
    [
        ({}, "a=b; Path=/"),
        ({"path": None}, "a=b"),
        ({"path": ""}, "a=b"),
        ({"domain": "foo.com", "path": "/foo"}, "a=b; Domain=foo.com; Path=/foo"),
        ({"max_age": 10}, "a=b; Max-Age=10; Path=/"),
        ({"max_age": -1}, "a=b; Max-Age=-1; Path=/"),
        ({"max_age": "10"}, "a=b; Max-Age=10; Path=/"),
        ({"max_age": 0}, "a=b; Path=/"),
        ({"secure": True}, "a=b; Path=/; Secure"),
        ({"secure": False, "httponly": False, "samesite": ""}, "a=b; Path=/"),
        (
            {"httponly": True, "secure": 1, "samesite": "Lax", "max_age": 5, "domain": "x"},
            "a=b; Domain=x; HttpOnly; Max-Age=5; Path=/; SameSite=Lax; Secure",
        ),
        ({"partitioned": True, "secure": True}, "a=b; Partitioned; Path=/; Secure"),
        ({"expires": 1e9}, "a=b; expires=Sun, 09 Sep 2001 01:46:40 GMT; Path=/"),
        ({"expires": 0}, "a=b; Path=/"),
        ({"expires": time.gmtime(0)}, "a=b; expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/"),
        (
            {"expires": (2020, 1, 2, 3, 4, 5, 0, 0, 0), "expires_days": 5},
            "a=b; expires=Thu, 02 Jan 2020 03:04:05 GMT; Path=/",
        ),
        (
            {"expires": datetime.datetime(2020, 1, 2, 3, 4, 5)},
            "a=b; expires=Thu, 02 Jan 2020 03:04:05 GMT; Path=/",
        ),
        (
            {
                "expires": datetime.datetime(
                    2020, 1, 2, 3, 4, 5, tzinfo=datetime.timezone(datetime.timedelta(hours=2))
                )
            },
            "a=b; expires=Thu, 02 Jan 2020 01:04:05 GMT; Path=/",
        ),
    ],
)
def test_attributes(kwargs, header):
    assert set_cookie("a", "b", **kwargs) == header


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("asdf", "asdf"),
        (b"zxcv", "zxcv"),
        ("", '""'),
        ("a=b", '"a=b"'),
        ("a;b", '"a\\073b"'),
        ("a,b", '"a\\054b"'),
        ('a"b', '"a\\"b"'),
        ("a\\b", '"a\\\\b"'),
        ("a/b?c@d", '"a/b?c@d"'),
        ("\u00e9", '"\\351"'),
        ("\x7f", '"\\177"'),
        (b"\xc3\xa9", '"\\351"'),
        ("\u4e00", '"\u4e00"'),
    ],
)
def test_values(value, written):
    assert set_cookie("a", value) == f"a={written}; Path=/"


@pytest.mark.parametrize("char", [chr(code) for code in range(0x21)])
def test_values_without_blanks_or_controls(char):
    with pytest.raises(ValueError, match="Invalid cookie 'a'"):
        set_cookie("a", f"x{char}y")


FORBIDDEN = [*map(chr, range(0x20)), "\x7f", ";"]


@pytest.mark.parametrize("char", FORBIDDEN)
def test_nothing_can_be_injected(char):
    def refused(what, *args, **kwargs):
        with pytest.raises(http.cookies.CookieError, match=f"Invalid cookie attribute {what}="):
            set_cookie(*args, **kwargs)

    refused("name", "foo" + char, "bar")
    refused("domain", "a", "b", domain=f"x{char}.com")
    refused("path", "a", "b", path="/" + char)
    refused("samesite", "a", "b", samesite="a" + char)
    # What is refused is not warned of besides.
    refused("DoMaIn", "a", "b", DoMaIn=f"x{char}.com")
    refused("Expires", "a", "b", Expires="x" + char)
    refused("Max-Age", "a", "b", **{"Max-Age": "1" + char})


@example("$", "", "", "")
@given(st.text(), st.text(), st.text(), st.text())
def test_whatever_is_set_is_one_cookie(name, value, domain, path):
    try:
        header = format_cookie(name, value, {"domain": domain, "path": path, "secure": True})
    except (ValueError, http.cookies.CookieError):
        return
    assert not any(char in header for char in "\r\n\0")
    fields = header.split("; ")
    assert len(fields) == 2 + bool(domain) + bool(path)
    assert ";" not in "".join(fields)
    # What the browser sends back.
    assert parse_cookie(fields[0]) == {name: value}
    # The standard library takes what begins with $ for an attribute, which it was in RFC 2109.
    if value.isascii() and not name.startswith("$"):
        assert http.cookies.SimpleCookie(fields[0])[name].value == value


@pytest.mark.parametrize("name", ["", "a=b", "a,b", "\u00e9", "path", "Domain", "HttpOnly"])
def test_names(name):
    with pytest.raises(http.cookies.CookieError):
        set_cookie(name, "x")


@pytest.mark.parametrize("max_age", ["1; Path=/x", "", "x"])
def test_max_age_is_a_number(max_age):
    if max_age == "":
        assert set_cookie("a", "b", max_age=max_age) == "a=b; Path=/"
    else:
        with pytest.raises(ValueError):
            set_cookie("a", "b", max_age=max_age)


def test_keywords_in_other_spellings():
    with pytest.warns(DeprecationWarning, match="should be lowercase"):
        assert set_cookie("a", "b", HttpOnly=True, pATH="/foo") == "a=b; HttpOnly; Path=/foo"
    with pytest.raises(http.cookies.CookieError, match="Invalid attribute 'foo'"):
        set_cookie("a", "b", foo="x")


def test_last_cookie_of_a_name_wins():
    h = page()
    h.set_cookie("a", "b", domain="example.com")
    h.set_cookie("c", "d", domain="example.com")
    h.set_cookie("a", "e")
    assert h._cookie_headers() == ["c=d; Domain=example.com; Path=/", "a=e; Path=/"]


def test_expires_days():
    before = time.time()
    header = set_cookie("foo", "bar", expires_days=0.5)
    morsel = http.cookies.SimpleCookie(header)["foo"]
    expires = datetime.datetime.strptime(morsel["expires"], "%a, %d %b %Y %H:%M:%S GMT")
    seconds = expires.replace(tzinfo=datetime.UTC).timestamp() - before
    assert 43200 - 1 <= seconds <= 43200 + 60


def test_reading():
    h = page("foo=bar; baz=x")
    assert h.get_cookie("foo") == "bar"
    assert h.get_cookie("nope") is None
    assert h.get_cookie("nope", "d") == "d"
    assert {name: morsel.value for name, morsel in h.cookies.items()} == {"foo": "bar", "baz": "x"}
    h.set_cookie("foo", "new")
    assert h.get_cookie("foo") == "bar"


def test_clearing():
    h = page("foo=bar; baz=x")
    h.clear_cookie("foo", path="/x", domain="d.com", secure=True, samesite="Lax", httponly=True)
    (header,) = h._cookie_headers()
    assert header.startswith('foo=""; Domain=d.com; expires=')
    assert header.endswith("; HttpOnly; Path=/x; SameSite=Lax; Secure")
    expires = http.cookies.SimpleCookie(header)["foo"]["expires"]
    assert datetime.datetime.strptime(expires, "%a, %d %b %Y %H:%M:%S GMT").year < time.gmtime().tm_year
    h.clear_all_cookies(path="/")
    assert [header.partition(";")[0] for header in h._cookie_headers()] == ['foo=""', 'baz=""']
    for refused in ("expires", "max_age"):
        with pytest.raises(TypeError, match=refused):
            h.clear_cookie("foo", **{refused: 3})


def test_clearing_cookies_with_names_that_cannot_be_written():
    h = page()
    h.request.cookies = {"a]b": None, "ok": None, "path": None}
    h.clear_all_cookies()
    assert [header.partition("=")[0] for header in h._cookie_headers()] == ["ok"]


def test_nothing_is_stored_before_it_is_used():
    h = page()
    assert h._cookie_headers() == []
    assert set(vars(h)) == {"request", "application"}


def sent_back(h):
    return "; ".join(header.partition(";")[0] for header in h._cookie_headers())


@pytest.mark.parametrize(("version", "min_version"), [(None, None), (1, 1), (2, 2)])
@pytest.mark.parametrize("value", [b"bar", b"\xe9\x00\n", "\u00e9", ""])
def test_signed_cookies(version, min_version, value):
    h = page(**SECRET)
    h.set_signed_cookie("foo", value, version=version, expires_days=None, domain="x")
    assert h._cookie_headers()[0].endswith("; Domain=x; Path=/")
    back = page(sent_back(h), **SECRET)
    expected = value.encode() if isinstance(value, str) else value
    assert back.get_signed_cookie("foo", min_version=min_version) == expected
    assert page(sent_back(h), cookie_secret="t").get_signed_cookie("foo") is None
    assert back.get_signed_cookie("bar") is None
    assert back.get_signed_cookie("bar", back.get_cookie("foo")) is None


def test_signed_cookies_are_kept_a_month():
    h = page(**SECRET)
    h.set_secure_cookie("foo", "x")
    assert "; expires=" in h._cookie_headers()[0]


def test_secure_is_another_name_for_signed():
    for name in ("set_{}_cookie", "get_{}_cookie", "get_{}_cookie_key_version"):
        assert getattr(CookiesMixin, name.format("secure")) is getattr(CookiesMixin, name.format("signed"))


def test_signing_with_several_keys():
    keys = {1: "a", 2: "b"}
    h = page(cookie_secret=keys, key_version=2)
    h.set_signed_cookie("foo", "x")
    back = page(sent_back(h), cookie_secret=keys, key_version=1)
    assert back.get_signed_cookie("foo") == b"x"
    assert back.get_signed_cookie_key_version("foo") == 2
    assert back.get_signed_cookie_key_version("bar") is None
    value = create_signed_value(keys, "foo", "y", key_version=1).decode()
    assert back.get_signed_cookie_key_version("foo", value) == 1
    assert page(sent_back(h), cookie_secret={1: "a"}, key_version=1).get_signed_cookie("foo") is None
    with pytest.raises(ValueError, match="key_version setting must be used"):
        page(cookie_secret=keys).set_signed_cookie("foo", "x")


@pytest.mark.parametrize(
    "use",
    [
        lambda h: h.set_signed_cookie("a", "b"),
        lambda h: h.create_signed_value("a", "b"),
        lambda h: h.get_signed_cookie("a"),
        lambda h: h.get_signed_cookie_key_version("a"),
    ],
)
def test_signing_needs_a_secret(use):
    with pytest.raises(MissingSettingError, match="'cookie_secret' setting"):
        use(page())


def test_a_subclass_may_replace_both_ends():
    class Stub(CookiesMixin):
        kept: dict[str, bytes]

        def get_cookie(self, name):
            return self.kept[name].decode()

        def set_cookie(self, name, value, expires_days=None):
            self.kept[name] = value

    h = assemble(Stub, settings=SECRET)
    h.kept = {}
    h.set_signed_cookie("foo", b"bar", version=1)
    assert h.get_signed_cookie("foo", min_version=1) == b"bar"
