"""Against the examples of RFC 5849."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import quote as reference_quote

from hypothesis import given
from hypothesis import strategies as st

from eyewall.web.login.signature import base_string, hmac_sha1, quote

CONSUMER_SECRET = "kd94hf93k423kf44"


def protocol(**fields: str) -> dict[str, str]:
    return {f"oauth_{name}": value for name, value in fields.items()}


def test_the_base_string_of_section_3_4_1_1() -> None:
    parameters = [
        ("c2", ""),
        ("a3", "2 q"),
        *protocol(
            consumer_key="9djdj82h48djs9d2",
            token="kkk9d7dh3k39sjv7",
            signature_method="HMAC-SHA1",
            timestamp="137131201",
            nonce="7d8f3e4a",
        ).items(),
    ]
    assert base_string(
        "POST", "http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b", parameters
    ) == (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q"
        "%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2"
        "%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1"
        "%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    )


def test_the_signature_of_section_1_2() -> None:
    text = base_string(
        "GET",
        "http://photos.example.net/photos?file=vacation.jpg&size=original",
        protocol(
            consumer_key="dpf43f3p2l4k3l03",
            token="nnch734d00sl2jdk",
            signature_method="HMAC-SHA1",
            timestamp="137131202",
            nonce="chapoH",
        ),
    )
    assert hmac_sha1(text, CONSUMER_SECRET, "pfkkdhi9sl3r4s00") == "MdpQcU8iPSUjWoN/UDMsK2sui9I="


def test_the_signature_of_the_request_for_a_token_in_section_1_2() -> None:
    text = base_string(
        "post",
        "https://photos.example.net/token",
        protocol(
            consumer_key="dpf43f3p2l4k3l03",
            token="hh5s93j4hdidpola",
            signature_method="HMAC-SHA1",
            timestamp="137131201",
            nonce="walatlh",
            verifier="hfdp7dh39dks9884",
        ),
    )
    assert hmac_sha1(text, CONSUMER_SECRET, "hdhd0244k9j7ao03") == "gKgrFCywp7rO0OXSjdot/IHF7IU="


def test_the_normalised_address_of_section_3_4_1_2() -> None:
    def address(url: str) -> str:
        return base_string("GET", url, {}).split("&")[1]

    assert address("http://EXAMPLE.COM:80/r%20v/X?id=123") == reference_quote(
        "http://example.com/r%20v/X", safe=""
    )
    assert address("https://www.example.net:8080/?q=1") == reference_quote(
        "https://www.example.net:8080/", safe=""
    )
    assert address("https://example.net:443") == reference_quote("https://example.net/", safe="")
    assert address("http://example.net:443/#part") == reference_quote("http://example.net:443/", safe="")


def test_secrets_are_encoded_before_they_are_joined() -> None:
    assert hmac_sha1("text", "a&b", "c") != hmac_sha1("text", "a", "b&c")
    key = b"a%26b&c"
    assert (
        hmac_sha1("text", "a&b", "c")
        == base64.b64encode(hmac.new(key, b"text", hashlib.sha1).digest()).decode()
    )


@given(st.text(max_size=30).filter(lambda text: text.isprintable()))
def test_quoting_is_that_of_rfc_3986(text: str) -> None:
    assert quote(text) == reference_quote(text, safe="-._~")


@given(st.lists(st.tuples(st.text("ab&=%+ é", max_size=4), st.text("ab&=%+ é", max_size=4)), max_size=6))
def test_the_order_of_parameters_does_not_matter_but_every_one_does(pairs: list[tuple[str, str]]) -> None:
    url = "http://example.com/"
    assert base_string("GET", url, pairs) == base_string("GET", url, pairs[::-1])
    if pairs:
        assert base_string("GET", url, pairs) != base_string("GET", url, pairs[1:])
