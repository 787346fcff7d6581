"""What is sent for a request, and what a redirect makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.client.errors import InvalidURL, UnknownMethod
from eyewall.client.login import Login, Nonces, Proof
from eyewall.client.options import RequestOptions
from eyewall.client.plan import Plan
from eyewall.client.request import DEFAULTS, HTTPRequest
from eyewall.http.errors import HTTPInputError, HTTPOutputError


def plan(url: str = "http://h/", **options: Any) -> Plan:
    return Plan(RequestOptions(HTTPRequest(url, **options), DEFAULTS))


def head(made: Plan, keep: bool = True, proxied: bool = False, proxy: Login | None = None) -> list[str]:
    proof, proxy_proof = (None if who is None else Proof(who, Nonces(), "h") for who in (made.login, proxy))
    raw, _ = made.head(keep, "Eyewall", proxied, proof, proxy_proof)
    assert raw.endswith(b"\r\n\r\n")
    return raw.decode("latin-1").split("\r\n")[:-2]


def test_a_plain_request() -> None:
    assert head(plan("http://h:81/a?b")) == [
        "GET /a?b HTTP/1.1",
        "Host: h:81",
        "User-Agent: Eyewall",
        "Accept-Encoding: gzip",
    ]


def test_what_options_add() -> None:
    lines = head(
        plan(
            "http://u:p@h/",
            method="POST",
            body="ü",
            user_agent="me",
            decompress_response=False,
            headers={"X-A": "1"},
        ),
        keep=False,
    )
    assert lines == [
        "POST / HTTP/1.1",
        "X-A: 1",
        "Host: h",
        "Connection: close",
        "Authorization: Basic dTpw",
        "User-Agent: me",
        "Content-Length: 2",
        "Content-Type: application/x-www-form-urlencoded",
    ]


def test_the_applications_fields_count() -> None:
    lines = head(
        plan(headers={"Host": "other", "User-Agent": "x", "Accept-Encoding": "br", "Connection": "close"}),
        keep=False,
    )
    assert lines == [
        "GET / HTTP/1.1",
        "Host: other",
        "User-Agent: x",
        "Accept-Encoding: br",
        "Connection: close",
    ]


def test_a_proxy_is_asked_for_the_whole_url() -> None:
    lines = head(plan("http://u:p@h:81/a"), proxied=True, proxy=Login(b"a", b"b"))
    assert lines[0] == "GET http://h:81/a HTTP/1.1"
    assert "Proxy-Authorization: Basic YTpi" in lines


def test_lengths() -> None:
    def framing(**options: Any) -> tuple[list[str], int]:
        raw, length = plan(**options).head(True, "", False, None, None)
        lines = raw.decode().split("\r\n")
        return [line for line in lines if line.startswith(("Content-Length", "Transfer-"))], length

    assert framing() == ([], 0)
    assert framing(method="POST", body=b"") == (["Content-Length: 0"], 0)
    assert framing(method="PUT", allow_nonstandard_methods=True) == (["Content-Length: 0"], 0)
    assert framing(method="POST", body_producer=print) == (["Transfer-Encoding: chunked"], -1)
    given = {"Content-Length": "5"}
    assert framing(method="POST", body_producer=print, headers=given) == (["Content-Length: 5"], 5)
    assert framing(method="POST", body=b"12345", headers=given) == (["Content-Length: 5"], 5)


@pytest.mark.parametrize(
    "options",
    [
        {"body": b"1", "headers": {"Content-Length": "2"}},
        {"body": b"1", "headers": {"Content-Length": "1, 1"}},
        {"body": b"1", "headers": {"Content-Length": "-1"}},
        {"body": b"1", "headers": {"Transfer-Encoding": "chunked"}},
        {"body_producer": print, "headers": {"Transfer-Encoding": "gzip"}},
        {"body_producer": print, "headers": {"Transfer-Encoding": "chunked", "Content-Length": "1"}},
    ],
)
def test_lengths_that_are_wrong(options: dict[str, Any]) -> None:
    with pytest.raises(HTTPOutputError):
        head(plan(method="POST", **options))


@pytest.mark.parametrize("method", ["GE T", "", "G\r\nX: y", "GET\x00", "ü"])
def test_methods_that_cannot_be_sent(method: str) -> None:
    with pytest.raises(UnknownMethod):
        plan(method=method, allow_nonstandard_methods=True)


def test_unusual_methods_have_to_be_allowed() -> None:
    for wrong in ("PROPFIND", "get"):
        with pytest.raises(KeyError, match="unknown method"):
            plan(method=wrong)
    assert head(plan(method="PROPFIND", allow_nonstandard_methods=True))[0] == "PROPFIND / HTTP/1.1"
    with pytest.raises(ValueError, match="unknown method CONNECT"):
        plan(method="CONNECT", allow_nonstandard_methods=True)


def test_content_and_method_must_fit() -> None:
    with pytest.raises(ValueError, match="must not be None"):
        plan(method="PUT")
    with pytest.raises(ValueError, match="must be None"):
        plan(method="DELETE", body=b"")
    with pytest.raises(ValueError, match="not both"):
        plan(method="POST", body=b"", body_producer=print)
    with pytest.raises(ValueError, match="auth_mode"):
        plan(auth_username="a", auth_mode="ntlm")


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20), st.text(max_size=10))
def test_nothing_ends_a_head_early(path: str, value: str, agent: str, user: str) -> None:
    try:
        lines = head(
            plan(
                "http://h/" + path,
                headers={"X-A": value},
                user_agent=agent or None,
                auth_username=user or None,
                auth_password=user,
            )
        )
    except (ValueError, HTTPInputError):
        return
    assert lines[0].count(" ") == 2
    assert len(lines) == 5 + (user != "")
    assert not any("\r" in line or "\n" in line for line in lines)


# -- redirects ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "method", "becomes"),
    [
        (301, "GET", "GET"),
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (301, "PUT", "PUT"),
        (302, "DELETE", "DELETE"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
        (307, "POST", "POST"),
        (308, "PUT", "PUT"),
    ],
)
def test_methods_after_redirects(status: int, method: str, becomes: str) -> None:
    body = b"x" if method in ("POST", "PUT") else None
    made = plan(method=method, body=body, headers={"Content-Type": "text/plain", "X-A": "1"})
    made.follow(status, "http://h/other")
    assert made.method == becomes
    assert made.headers.get("X-A") == "1"
    if becomes == method:
        assert made.body == body
        assert made.headers.get("Content-Type") == "text/plain"
    else:
        assert made.body is None
        assert "Content-Type" not in made.headers
        assert not any(line.startswith("Content-") for line in head(made))


@pytest.mark.parametrize("url", ["http://other/", "http://h:81/", "https://h/"])
def test_secrets_stay_with_their_origin(url: str) -> None:
    made = plan(
        "http://u:p@h/",
        headers={"Cookie": "a=b", "Authorization": "Bearer x", "Host": "virtual", "Proxy-Authorization": "z"},
    )
    made.follow(302, url)
    lines = "\n".join(head(made))
    for secret in ("Cookie", "Authorization", "virtual"):
        assert secret not in lines
    made = plan("http://h/", auth_username="u", auth_password="p")
    made.follow(302, url)
    # Nor do they come back.
    made.follow(302, "http://h/")
    assert "Authorization" not in "\n".join(head(made))


def test_secrets_stay_within_their_origin() -> None:
    made = plan("http://h/a", auth_username="u", auth_password="p", headers={"Cookie": "a=b"})
    made.follow(302, "http://H:80/b")
    lines = head(made)
    assert "Cookie: a=b" in lines
    assert "Authorization: Basic dTpw" in lines


def test_credentials_of_a_location_count() -> None:
    made = plan("http://h/a", auth_username="u", auth_password="p")
    made.follow(302, "http://x:y@other/")
    assert "Authorization: Basic eDp5" in head(made)


def test_where_locations_lead() -> None:
    made = plan("http://h/a/b?c")
    for status in (200, 300, 304, 404):
        assert made.redirected(status, "/x") is None
    assert made.redirected(302, None) is None
    assert made.redirected(302, "") is None
    assert made.redirected(302, "/x") == "http://h/x"
    assert made.redirected(302, "x?y") == "http://h/a/x?y"
    assert made.redirected(302, "//other/x") == "http://other/x"
    assert made.redirected(302, " /a b\xfc ") == "http://h/a%20b%FC"
    for bad in ("ftp://x/", "h:5", "javascript:x"):
        with pytest.raises(InvalidURL):
            made.follow(302, made.redirected(302, bad) or "")
