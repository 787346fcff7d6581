"""The opening handshake by RFC 6455 section 4, from headers to headers."""

from __future__ import annotations

import pytest

from eyewall.websocket.deflate import DeflateOptions, DeflateParameters
from eyewall.websocket.errors import HandshakeFailed, HandshakeRefused
from eyewall.websocket.handshake import (
    Agreement,
    accept_value,
    check_request,
    check_response,
    negotiate_deflate,
    new_key,
    offered_subprotocols,
    request_fields,
    response_fields,
)

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


class Fields:
    """Header fields as a list of pairs."""

    def __init__(self, *pairs: tuple[str, str]) -> None:
        self.pairs = pairs

    def get_list(self, name: str) -> list[str]:
        return [value for other, value in self.pairs if other.lower() == name.lower()]

    def get(self, name: str, default: str, /) -> str:
        return ",".join(self.get_list(name)) or default


REQUEST = {
    "Host": "example.com",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}


def request(**changes: str | None) -> Fields:
    fields: dict[str, str | None] = {**REQUEST, **{k.replace("_", "-"): v for k, v in changes.items()}}
    return Fields(*((name, value) for name, value in fields.items() if value is not None))


def test_the_example_of_the_standard() -> None:
    assert accept_value(KEY) == ACCEPT
    assert check_request("GET", True, request()) == ACCEPT
    assert response_fields(ACCEPT, "chat", "x; y") == [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", ACCEPT),
        ("Sec-WebSocket-Protocol", "chat"),
        ("Sec-WebSocket-Extensions", "x; y"),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"Upgrade": "WebSocket"},
        {"Connection": "keep-alive, Upgrade"},
        {"Connection": "upgrade"},
        {"Connection": "keep-alive,\tUPGRADE ,"},
    ],
)
def test_requests_that_pass(changes: dict[str, str]) -> None:
    assert check_request("GET", True, request(**changes)) == ACCEPT


@pytest.mark.parametrize(
    ("method", "changes", "status", "message"),
    [
        ("POST", {}, 405, "GET"),
        ("GET", {"Upgrade": None}, 400, 'Can "Upgrade" only to "WebSocket".'),
        ("GET", {"Upgrade": "h2c"}, 400, 'Can "Upgrade" only to "WebSocket".'),
        ("GET", {"Upgrade": "websockets"}, 400, 'Can "Upgrade" only to "WebSocket".'),
        ("GET", {"Upgrade": "websocket, h2c"}, 400, 'Can "Upgrade" only to "WebSocket".'),
        ("GET", {"Connection": None}, 400, '"Connection" must be "Upgrade".'),
        ("GET", {"Connection": "keep-alive"}, 400, '"Connection" must be "Upgrade".'),
        ("GET", {"Sec_WebSocket_Version": None}, 426, "version 13"),
        ("GET", {"Sec_WebSocket_Version": "12", "Sec_WebSocket_Key": None}, 426, "version 13"),
        ("GET", {"Sec_WebSocket_Version": "013"}, 426, "version 13"),
        ("GET", {"Sec_WebSocket_Key": None}, 400, "Key"),
        ("GET", {"Sec_WebSocket_Key": "short"}, 400, "Key"),
        ("GET", {"Sec_WebSocket_Key": KEY[:-2]}, 400, "Key"),
        ("GET", {"Sec_WebSocket_Key": KEY + KEY}, 400, "Key"),
        ("GET", {"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZR=="}, 400, "Key"),
    ],
)
def test_requests_that_are_refused(
    method: str, changes: dict[str, str | None], status: int, message: str
) -> None:
    with pytest.raises(HandshakeRefused) as caught:
        check_request(method, True, request(**changes))
    assert caught.value.status == status
    assert message in caught.value.message
    if status == 426:
        assert caught.value.headers == {"Sec-WebSocket-Version": "13"}


def test_http_1_0_is_refused() -> None:
    with pytest.raises(HandshakeRefused) as caught:
        check_request("GET", False, request())
    assert caught.value.status == 400


def test_a_repeated_key_is_refused() -> None:
    fields = Fields(*request().pairs, ("Sec-WebSocket-Key", KEY))
    with pytest.raises(HandshakeRefused):
        check_request("GET", True, fields)


def test_subprotocols_come_in_order() -> None:
    fields = Fields(("Sec-WebSocket-Protocol", "b, a,"), ("sec-websocket-protocol", "c"))
    assert offered_subprotocols(fields) == ["b", "a", "c"]
    assert offered_subprotocols(Fields()) == []


def test_deflate_is_negotiated() -> None:
    fields = Fields(("Sec-WebSocket-Extensions", "foo"), ("Sec-WebSocket-Extensions", "permessage-deflate"))
    assert negotiate_deflate(fields, DeflateOptions()) == (DeflateParameters(), "permessage-deflate")
    assert negotiate_deflate(Fields(), DeflateOptions()) is None
    with pytest.raises(HandshakeRefused) as caught:
        negotiate_deflate(Fields(("Sec-WebSocket-Extensions", "a b")), DeflateOptions())
    assert caught.value.status == 400


def test_what_a_client_sends() -> None:
    assert request_fields(KEY, [], None) == [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", KEY),
        ("Sec-WebSocket-Version", "13"),
    ]
    fields = dict(request_fields(KEY, ["a", "b"], DeflateOptions()))
    assert fields["Sec-WebSocket-Protocol"] == "a, b"
    assert fields["Sec-WebSocket-Extensions"] == "permessage-deflate; client_max_window_bits"
    assert new_key() != new_key()
    assert check_request("GET", True, request(Sec_WebSocket_Key=new_key()))


@pytest.mark.parametrize("names", [["a b"], [""], ["a", "a"], ["a\r\nX: y"], ["a,b"]])
def test_subprotocols_a_client_cannot_offer(names: list[str]) -> None:
    with pytest.raises(ValueError, match="subprotocol"):
        request_fields(KEY, names, None)


def test_a_subprotocol_a_server_cannot_choose() -> None:
    with pytest.raises(ValueError, match="token"):
        response_fields(ACCEPT, "a\r\nX: y", None)


def response(*more: tuple[str, str], **changes: str) -> Fields:
    fields = dict(response_fields(ACCEPT, None, None))
    fields.update({name.replace("_", "-"): value for name, value in changes.items()})
    return Fields(*((name, value) for name, value in fields.items() if value), *more)


def test_answers_that_pass() -> None:
    assert check_response(KEY, 101, response(), [], None) == Agreement(None, None)
    fields = response(("Sec-WebSocket-Protocol", "b"), ("Sec-WebSocket-Extensions", "permessage-deflate"))
    agreed = check_response(KEY, 101, fields, ["a", "b"], DeflateOptions())
    assert agreed == Agreement("b", DeflateParameters())


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (200, response()),
        (101, response(Upgrade="")),
        (101, response(Upgrade="h2c")),
        (101, response(Connection="close")),
        (101, response(Sec_WebSocket_Accept="")),
        (101, response(Sec_WebSocket_Accept=ACCEPT.lower())),
        (101, response(("Sec-WebSocket-Protocol", "c"))),
        (101, response(("Sec-WebSocket-Protocol", "a"), ("Sec-WebSocket-Protocol", "a"))),
        (101, response(("Sec-WebSocket-Extensions", "other"))),
        (101, response(("Sec-WebSocket-Extensions", "permessage-deflate, permessage-deflate"))),
        (101, response(("Sec-WebSocket-Extensions", "a b"))),
    ],
)
def test_answers_that_fail(status: int, fields: Fields) -> None:
    with pytest.raises(HandshakeFailed):
        check_response(KEY, status, fields, ["a"], DeflateOptions())


def test_compression_that_was_not_offered_fails() -> None:
    fields = response(("Sec-WebSocket-Extensions", "permessage-deflate"))
    with pytest.raises(HandshakeFailed):
        check_response(KEY, 101, fields, [], None)
