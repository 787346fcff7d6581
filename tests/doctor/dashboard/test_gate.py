"""Who is let in."""

from __future__ import annotations

import pytest

from eyewall.doctor.dashboard.gate import Gate, new_token

pytestmark = pytest.mark.one_build

TOKEN = "0123456789abcdef"


def test_the_token_the_cookie_and_the_csrf_token_are_three_things() -> None:
    gate = Gate(TOKEN)
    three = {TOKEN, gate.pass_, gate.csrf}
    assert len(three) == 3
    assert [each for each in three if gate.takes_token(each)] == [TOKEN]
    assert [each for each in three if gate.takes_pass(each)] == [gate.pass_]
    assert [each for each in three if gate.takes_csrf(each)] == [gate.csrf]


def test_workers_with_the_same_token_let_the_same_in() -> None:
    assert Gate(TOKEN).pass_ == Gate(TOKEN).pass_ != Gate(TOKEN + "x").pass_
    assert Gate(TOKEN).csrf == Gate(TOKEN).csrf


@pytest.mark.parametrize("given", ["", "0123456789abcde", "0123456789abcdeF", "\udcff", "ü" * 16])
def test_what_is_not_the_token(given: str) -> None:
    gate = Gate(TOKEN)
    assert not gate.takes_token(given)
    assert not gate.takes_pass(given)
    assert not gate.takes_csrf(given)


def test_nothing_is_not_taken_for_anything() -> None:
    assert not Gate(TOKEN).takes_pass(None)
    assert not Gate(TOKEN).takes_csrf(None)


@pytest.mark.parametrize("token", ["", "short", "x" * 513, "0123456789abcdeü", "0123456789abcd\n"])
def test_tokens_that_are_not_safe(token: str) -> None:
    with pytest.raises(ValueError, match="token"):
        Gate(token)


def test_new_tokens_differ_and_are_long_enough() -> None:
    assert new_token() != new_token()
    Gate(new_token())


@pytest.mark.parametrize(
    ("host", "taken"),
    [
        ("127.0.0.1:9000", True),
        ("127.0.0.1", True),
        ("localhost:9000", True),
        ("LocalHost:9000", True),
        ("localhost.:9000", True),
        ("[::1]:9000", True),
        ("192.0.2.1:9000", True),
        ("board.example:9000", True),
        ("evil.example:9000", False),
        ("127.0.0.1.evil.example:9000", False),
        ("localhost.evil.example", False),
        ("", False),
        (None, False),
        ("x" * 400, False),
    ],
)
def test_names_that_lead_here(host: str | None, taken: bool) -> None:
    assert Gate(TOKEN, hosts=["Board.example"]).takes_host(host) is taken
    # Where the application sees to that.
    assert Gate(TOKEN, hosts=None).takes_host(host)


@pytest.mark.parametrize(
    ("origin", "site", "taken"),
    [
        (None, None, True),
        (None, "none", True),
        (None, "same-origin", True),
        ("http://127.0.0.1:9000", "same-origin", True),
        ("https://127.0.0.1:9000", None, True),
        ("http://127.0.0.1:9001", None, False),
        ("http://evil.example", None, False),
        ("http://127.0.0.1:9000.evil.example", None, False),
        ("null", None, False),
        ("", None, False),
        (None, "same-site", False),
        (None, "cross-site", False),
        ("http://127.0.0.1:9000", "cross-site", False),
    ],
)
def test_pages_that_may_ask(origin: str | None, site: str | None, taken: bool) -> None:
    assert Gate(TOKEN).takes_origin(origin, "127.0.0.1:9000", site) is taken


def test_without_a_host_no_origin_is_the_same() -> None:
    assert not Gate(TOKEN).takes_origin("http://", "", None)
    assert not Gate(TOKEN).takes_origin("http://x", None, None)


def test_nobody_may_frame_it_unless_stated() -> None:
    fields = Gate(TOKEN).fields()
    assert fields["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in fields["Content-Security-Policy"]
    fields = Gate(TOKEN, ancestors=["http://127.0.0.1:8888", "http://localhost:8888"]).fields()
    assert "X-Frame-Options" not in fields
    assert fields["Content-Security-Policy"].endswith(
        "frame-ancestors http://127.0.0.1:8888 http://localhost:8888"
    )


def test_the_policy_lets_nothing_of_others_in() -> None:
    policy = Gate(TOKEN).fields()["Content-Security-Policy"]
    rules = dict(each.strip().split(" ", 1) for each in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for name in ("script-src", "style-src", "connect-src"):
        assert rules[name] == "'self'"
    assert "unsafe" not in policy
    assert "http:" not in policy
    assert "*" not in policy


@pytest.mark.parametrize(
    "origin",
    ["*", "example.com", "ftp://x", "http://x/path", "http://x; script-src *", "http://x y", "http://ü"],
)
def test_ancestors_that_are_no_origins(origin: str) -> None:
    with pytest.raises(ValueError, match="origin"):
        Gate(TOKEN, ancestors=[origin])
