"""URLs: where they lead, and that none of them can break a request line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.client.target import InvalidURL, UnsupportedScheme, parse_target, quoted_octets


@pytest.mark.parametrize(
    ("url", "host", "port", "authority", "target"),
    [
        ("http://example.com", "example.com", 80, "example.com", "/"),
        ("https://Example.com:8443/a?b=c#d", "example.com", 8443, "Example.com:8443", "/a?b=c"),
        ("http://[::1]:80/", "::1", 80, "[::1]:80", "/"),
        ("http://me:pw@h/p", "h", 80, "h", "/p"),
        ("http://h?x", "h", 80, "h", "/?x"),
        ("http://h/ü?ß", "h", 80, "h", "/%C3%BC?%C3%9F"),
        ("http://bücher.example/", "xn--bcher-kva.example", 80, "xn--bcher-kva.example", "/"),
        ("http://bücher.example:81/", "xn--bcher-kva.example", 81, "xn--bcher-kva.example:81", "/"),
    ],
)
def test_urls(url: str, host: str, port: int, authority: str, target: str) -> None:
    found = parse_target(url, "http", "https")
    assert found[:2] == (host, port)
    assert found.authority == authority
    assert found.target == target
    assert found.tls is url.startswith("https")


def test_credentials_are_decoded_and_in_no_authority() -> None:
    found = parse_target("http://m%40e:s%3Aü@h:1/", "http")
    assert found.credentials == "m@e:s:ü".encode()
    assert found.absolute == "http://h:1/"


@pytest.mark.parametrize(
    "url",
    [
        "http://h/a b",
        "http://h/\r\nX: y",
        "http://h/\tx",
        "http://h\x00/",
        "http://",
        "http:///x",
        "http://h:99999/",
        "http://h:x/",
        "http://[::1/",
        "http://a b/",
        "http://h\\@evil/",
        "http://h%0d%0a/",
        "example.com",
    ],
)
def test_urls_that_lead_nowhere(url: str) -> None:
    with pytest.raises(InvalidURL):
        parse_target(url, "http", "https")


def test_a_host_that_a_resolver_of_the_programs_own_understands() -> None:
    for url, host, port in (
        ("http://%2Ftmp%2FA%20b.sock/x", "%2Ftmp%2FA%20b.sock", 80),
        ("http://u:p@%2Ftmp%2FA.sock:81/x", "%2Ftmp%2FA.sock", 81),
        ("http://H/x", "h", 80),
    ):
        found = parse_target(url, "http", encoded_host=True)
        assert (found.host, found.port, found.target) == (host, port, "/x")
    assert found.authority == "H"
    assert parse_target("http://%2fA:81/", "http", encoded_host=True).authority == "%2fA:81"
    for url in ("http://%2ftmp/", "http://%41/"):
        with pytest.raises(InvalidURL, match="is not the name of a host"):
            parse_target(url, "http")
    for url in (
        "http://h%0d%0a/",
        "http://h%7f/",
        "http://h%7F/",
        "http://h%2/",
        "http://h%zz/",
        "http://h%/",
        "http://%2f:x/",
    ):
        with pytest.raises(InvalidURL):
            parse_target(url, "http", encoded_host=True)


@pytest.mark.parametrize("url", ["ftp://h/", "file:///etc/passwd", "h:5", "//h/"])
def test_other_schemes(url: str) -> None:
    with pytest.raises(UnsupportedScheme, match="Unsupported url scheme"):
        parse_target(url, "http", "https")


def test_origins() -> None:
    def origin(url: str) -> object:
        return parse_target(url, "http", "https").origin

    assert origin("http://h/a") == origin("http://H:80/b?c") == origin("http://u:p@h/")
    assert origin("http://h/") != origin("https://h/")
    assert origin("http://h/") != origin("http://h:8080/")
    assert origin("http://h/") != origin("http://i/")


def test_octets_of_a_location_stay_what_they_were() -> None:
    assert quoted_octets("/\xfc", "latin-1") == "/%FC"


@given(st.text(max_size=30), st.text(max_size=30))
def test_nothing_gets_into_a_request_line(host: str, rest: str) -> None:
    try:
        found = parse_target(f"http://{host}/{rest}", "http")
    except InvalidURL:
        return
    line = f"GET {found.target} HTTP/1.1 Host: {found.authority} {found.absolute}"
    assert line.isascii()
    assert line.isprintable()
    assert len(found.target.split()) == len(found.authority.split()) == 1
