import pytest

from eyewall.web.arguments import ArgumentsMixin
from eyewall.web.errors import HTTPError, MissingArgumentError
from tests.web.stubs import assemble


def handler(**request):
    return assemble(ArgumentsMixin, **request)


def test_body_wins_and_the_plural_merges():
    h = handler(query={"foo": [b"bar"]}, body={"foo": [b"hello"]})
    assert h.get_argument("foo") == "hello"
    assert h.get_query_argument("foo") == "bar"
    assert h.get_body_argument("foo") == "hello"
    assert h.get_arguments("foo") == ["bar", "hello"]
    assert h.get_query_arguments("foo") == ["bar"]
    assert h.get_body_arguments("foo") == ["hello"]


def test_last_value_wins():
    assert handler(query={"a": [b"1", b"2"]}).get_argument("a") == "2"


@pytest.mark.parametrize("method", ["get_argument", "get_query_argument", "get_body_argument"])
def test_missing(method):
    h = handler()
    with pytest.raises(MissingArgumentError) as caught:
        getattr(h, method)("b")
    assert caught.value.arg_name == "b"
    assert getattr(h, method)("b", None) is None
    default = []
    assert getattr(h, method)("b", default) is default
    assert getattr(h, method + "s")("b") == []


def test_control_characters_become_blanks_and_ends_are_stripped():
    h = handler(query={"a": [b" \x00y\x0bz\x7f\t\n\rq\x1f\xc2\x85"], "n": ["  x\u00a0".encode()]})
    assert h.get_argument("a") == "y\x0bz\x7f\t\n\rq"
    assert h.get_argument("a", strip=False) == "  y\x0bz\x7f\t\n\rq \x85"
    assert h.get_argument("n") == "x"


@pytest.mark.parametrize("code", [*range(9), *range(14, 32)])
def test_every_control_character_is_replaced(code):
    h = handler(query={"a": [b"x" + bytes([code]) + b"y"]})
    assert h.get_argument("a") == "x y"


def test_not_utf8_is_the_clients_fault():
    with pytest.raises(HTTPError) as caught:
        handler(query={"a": [b"\xffA"]}).get_argument("a")
    assert caught.value.status_code == 400
    assert caught.value.get_message() == r"Invalid unicode in a: b'\xffA'"
    with pytest.raises(HTTPError, match="Invalid unicode in url") as caught:
        handler().decode_argument(b"\xff" * 1000)
    assert len(caught.value.get_message()) < 250


def test_strip_is_not_a_default():
    with pytest.raises(TypeError, match="take no default"):
        handler().get_arguments("a", None)


def test_decode_argument_may_leave_bytes():
    class Latin(ArgumentsMixin):
        def decode_argument(self, value, name=None):
            assert name == "a"
            return value

    h = assemble(Latin, query={"a": [b" \xe9 "]})
    assert h.get_argument("a") == b"\xe9"
