import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.web.arguments import ArgumentsMixin
from eyewall.web.auth import AuthMixin
from eyewall.web.cookies import CookiesMixin
from eyewall.web.errors import HTTPError
from eyewall.web.xsrf import XsrfMixin, XsrfToken, decode_xsrf_token, encode_xsrf_token
from tests.web.stubs import assemble


def page(cookie=None, sent=None, header=None, name="_xsrf", **settings):
    return assemble(
        ArgumentsMixin,
        CookiesMixin,
        XsrfMixin,
        AuthMixin,
        settings=settings,
        method="POST",
        cookies="" if cookie is None else f"{name}={cookie}",
        body={} if sent is None else {"_xsrf": [sent.encode()]},
        headers=header,
    )


def accepted(**kwargs):
    try:
        page(**kwargs).check_xsrf_cookie()
    except HTTPError as error:
        return error.get_message() if error.status_code == 403 else error
    return True


MISSING = "'_xsrf' argument missing from POST"
MALFORMED = "'_xsrf' argument has invalid format"
DIFFERENT = "XSRF cookie does not match POST argument"


@pytest.mark.parametrize(
    ("cookie", "sent", "answer"),
    [
        ("abcd", "abcd", True),
        ("abcd", "ABCD", True),
        ("xoxo", "xoxo", True),
        ("abcd", " abcd ", True),
        ("abcd", "2|00000000|abcd|0", True),
        ("2|00000000|abcd|0", "2|ffffffff|5432|99", True),
        ("abcd", "abce", DIFFERENT),
        ("abcd", "\u00e9", DIFFERENT),
        (None, "abcd", DIFFERENT),
        ("3|", "abcd", DIFFERENT),
        ("abcd", None, MISSING),
        ("abcd", "", MISSING),
        (None, None, MISSING),
        ("abcd", "3|", MALFORMED),
        ("abcd", "2|0000|abcd|0", MALFORMED),
        ("abcd", "2||abcd|0", MALFORMED),
        ("abcd", "2|00000000|abcd", MALFORMED),
        ("abcd", "2|00000000|abcd|0|0", MALFORMED),
        ("abcd", "2|00000000|abcd|x", MALFORMED),
        ("abcd", "2|00000000|abcd|+1", MALFORMED),
        ("abcd", "2|00000000|zzzz|0", MALFORMED),
        ("abc", "2|00000000|abc|0", MALFORMED),
        ("2|00000000||0", "2|00000000||0", MALFORMED),
        ("1|2", "1|2", MALFORMED),
    ],
)
def test_check(cookie, sent, answer):
    assert accepted(cookie=cookie, sent=sent) == answer


@pytest.mark.parametrize("name", ["X-Xsrftoken", "X-Csrftoken"])
def test_token_in_a_header(name):
    assert accepted(cookie="abcd", header={name: "abcd"}) is True
    assert accepted(cookie="abcd", header={name: "abce"}) == DIFFERENT


def test_argument_wins_over_the_header():
    assert accepted(cookie="abcd", sent="ffff", header={"X-Xsrftoken": "abcd"}) == DIFFERENT


def test_new_token_is_set_as_a_cookie_once():
    h = page()
    token = h.xsrf_token
    assert isinstance(token, bytes)
    assert h.xsrf_token is token
    assert h._cookie_headers() == [f"_xsrf={token.decode()}; Path=/"]
    assert page().xsrf_token != token
    assert accepted(cookie=token.decode(), sent=token.decode()) is True


@pytest.mark.parametrize("version", [1, 2])
def test_known_token_is_not_set_again(version):
    h = page(cookie="deadbeef", xsrf_cookie_version=version)
    token = h.xsrf_token.decode()
    assert h._cookie_headers() == []
    assert accepted(cookie="deadbeef", sent=token) is True


def test_unreadable_cookie_is_replaced():
    h = page(cookie="3|")
    assert f"_xsrf={h.xsrf_token.decode()}; Path=/" in h._cookie_headers()


def test_versions():
    assert page(cookie="2|aabbccdd|cabe|12", xsrf_cookie_version=1).xsrf_token == b"6005"
    assert page(cookie="zz", xsrf_cookie_version=1).xsrf_token == b"7a7a"
    masked = {page(cookie="deadbeef").xsrf_token for _ in range(5)}
    assert len(masked) == 5
    assert all(token.startswith(b"2|") and b"deadbeef" not in token for token in masked)
    with pytest.raises(ValueError, match="unknown xsrf cookie version 3"):
        assert page(xsrf_cookie_version=3).xsrf_token


def test_time_of_making_is_kept():
    assert page(cookie="2|00000000|abcd|1234").xsrf_token.endswith(b"|1234")


def test_cookie_settings():
    h = page(xsrf_cookie_name="__Host-x", xsrf_cookie_kwargs={"secure": True})
    token = h.xsrf_token.decode()
    assert h._cookie_headers() == [f"__Host-x={token}; Path=/; Secure"]
    check = page(cookie=token, sent=token, name="__Host-x", xsrf_cookie_name="__Host-x")
    check.check_xsrf_cookie()


def test_users_keep_their_token():
    h = page()
    h.current_user = "Ben"
    assert h.xsrf_token
    assert "; expires=" in h._cookie_headers()[0]


def test_form_field():
    h = page(cookie="abcd", xsrf_cookie_version=1)
    assert h.xsrf_form_html() == '<input type="hidden" name="_xsrf" value="abcd"/>'
    assert type(h.xsrf_form_html()) is str


def test_nothing_is_stored_before_it_is_used():
    assert set(vars(page())) == {"request", "application"}


@given(st.binary(min_size=1, max_size=64), st.integers(0, 10**12), st.sampled_from([1, 2]))
def test_tokens_round_trip(secret, made, version):
    decoded = decode_xsrf_token(encode_xsrf_token(XsrfToken(secret, made), version).decode())
    assert decoded.secret == secret
    if version == 2:
        assert decoded.made == made


@given(st.one_of(st.text(max_size=40), st.from_regex(r"2(\|[0-9a-f]{0,10}){2,4}", fullmatch=True)))
def test_any_text_is_a_token_or_none(text):
    token = decode_xsrf_token(text)
    assert token is None or token.secret
