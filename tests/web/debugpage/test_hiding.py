"""What is a secret, by name and by value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.web.debugpage.hiding import HIDDEN, Hider, is_secret


@pytest.mark.parametrize(
    "name",
    [
        "password", "PASSWORD", "user_password", "passwd", "pwd", "token", "accessToken", "access-token", "secret",
        "cookie_secret", "key", "api_key", "apikey", "X-Api-Key", "Authorization", "Proxy-Authorization", "Cookie",
        "Set-Cookie", "session_id", "sessionid", "credentials", "DSN", b"password",
    ],
)  # fmt: skip
def test_names_of_secrets(name):
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    ["keyboard", "monkey", "author", "name", "passenger", "path", "tok", "", "self", 7, None, ("key",)],
)
def test_other_names(name):
    assert not is_secret(name)


def hider(**named):
    found = Hider()
    found.learn(named.items())
    return found


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/a?token=abc&x=1", f"/a?token={HIDDEN}&x=1"),
        ("User(name='ada', password='it\\'s', age=3)", f"User(name='ada', password={HIDDEN}, age=3)"),
        ("{'api_key': b'abc', 'x': 1}", f"{{'api_key': {HIDDEN}, 'x': 1}}"),
        ('{"secret": "a b", "x": 1}', f'{{"secret": {HIDDEN}, "x": 1}}'),
        ("Authorization: Bearer abc.def", f"Authorization: {HIDDEN}"),
        ("key = 5", f"key = {HIDDEN}"),
        ("name='ada' monkey=5", "name='ada' monkey=5"),
        ("nothing here", "nothing here"),
    ],
)
def test_what_stands_behind_a_name_of_a_secret(text, shown):
    assert hider().text(text) == shown


def test_a_value_is_hidden_wherever_it_turns_up():
    found = hider(password="it's me", token=b"abcdefg", keys=["in a list"], settings={"secret": "in a dict"})
    for text in ("it's me", repr("it's me\"")[1:6], "abcdefg", "in a list", "in a dict", "it%27s%20me"):
        shown = found.values(f"<{text}>")
        assert text in ("it's me\"", "it\\'s") or HIDDEN in shown


def test_the_longest_value_goes_first():
    assert hider(token="abcdef", secret="abcdefghi").values("abcdefghi") == HIDDEN


def test_short_values_are_not_looked_for():
    assert hider(token="a", secret=7, password=None).values("a 7 None") == "a 7 None"


def test_only_what_has_the_name_is_learnt():
    assert hider(user="ada lovelace").values("ada lovelace") == "ada lovelace"


def test_lone_surrogates_do_not_stay():
    hider().text("\ud800").encode()


def test_a_long_text_takes_no_long_time():
    # With a search that begins anew at each letter, this would be 10^10 steps.
    text = "a" * 100_000 + "=" * 10
    assert hider().text(text) == text


@given(st.text("ab'\"\\%", min_size=6), st.text("0 "), st.text("0 "))
def test_no_value_stays(secret, before, behind):
    assert hider(token=secret).values(before + secret + behind) == before + HIDDEN + behind
