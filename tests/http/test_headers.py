import copy
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyewall.http import names
from eyewall.http.errors import HTTPInputError
from eyewall.http.grammar import FIELD_NAME, FIELD_VALUE
from eyewall.http.headers import HTTPHeaders, InvalidHeader

NAMES = st.one_of(
    st.from_regex(FIELD_NAME, fullmatch=True),
    st.sampled_from(["set-cookie", "Set-Cookie", "SET-COOKIE", "x-a", "X-A"]),
)
VALUES = st.from_regex(FIELD_VALUE, fullmatch=True)
CONTROLS = [chr(c) for c in [*range(0x20), 0x7F] if c != 9]


def test_names_ignore_case_and_have_one_spelling():
    headers = HTTPHeaders({"content-TYPE": "text/html"})
    assert list(headers.items()) == [("Content-Type", "text/html")]
    assert headers["CONTENT-type"] == headers.get("content-type") == "text/html"
    assert "content-type" in headers
    assert "etag" not in headers
    headers["ETag"] = '"x"'
    assert list(headers) == ["Content-Type", "Etag"]


def test_repeated_fields():
    headers = HTTPHeaders()
    headers.add("Set-Cookie", "a=b")
    headers.add("set-cookie", "c=d")
    assert headers["Set-Cookie"] == "a=b,c=d"
    assert headers.get("set-cookie") == "a=b,c=d"
    assert headers.get_list("SET-COOKIE") == ["a=b", "c=d"]
    assert list(headers.get_all()) == [("Set-Cookie", "a=b"), ("Set-Cookie", "c=d")]
    assert len(headers) == 1
    headers["Set-Cookie"] = "e=f"
    assert headers.get_list("Set-Cookie") == ["e=f"]
    del headers["set-cookie"]
    assert list(headers.get_all()) == []


def test_get_list_is_a_copy():
    headers = HTTPHeaders.parse("A: 1\r\nA: 2\r\n")
    headers.get_list("A").append("3")
    assert headers.get_list("A") == ["1", "2"]


def test_missing_names():
    headers = HTTPHeaders()
    assert headers.get("x") is None
    assert headers.get("x", "y") == "y"
    assert headers.get_list("x") == []
    for name in ("x", "not a name", ""):
        assert name not in headers
        with pytest.raises(KeyError):
            headers[name]
        with pytest.raises(KeyError):
            del headers[name]
    assert 5 not in headers


@pytest.mark.parametrize("name", ["", "foo bar", "foo\tbar", "foo\nbar", "foo\0", "foo ", " foo", "é"])
def test_names_that_are_not_tokens_are_refused(name):
    headers = HTTPHeaders()
    with pytest.raises(HTTPInputError):
        headers.add(name, "bar")
    with pytest.raises(HTTPInputError):
        headers[name] = "bar"
    with pytest.raises(HTTPInputError):
        headers.parse_line(f"{name}: bar")
    assert len(headers) == 0


@pytest.mark.parametrize("control", CONTROLS)
def test_control_characters_are_refused_everywhere(control):
    headers = HTTPHeaders()
    for value in (f"a{control}b", f"{control}b", f"a{control}"):
        with pytest.raises(InvalidHeader):
            headers.add("X", value)
        with pytest.raises(ValueError):
            headers["X"] = value
        with pytest.raises(HTTPInputError):
            headers["X"] = value.encode()
        with pytest.raises(HTTPInputError):
            headers["X"] = ["fine", value]
        with pytest.raises(HTTPInputError):
            HTTPHeaders({"X": value})
        with pytest.raises(HTTPInputError):
            headers.update(X=value)
        with pytest.raises(HTTPInputError):
            headers.setdefault("X", value)
        with pytest.raises(HTTPInputError):
            headers.add("X", value, _chars_are_bytes=False)
    assert len(headers) == 0


def test_what_values_may_be():
    headers = HTTPHeaders({"A": b"bytes", "B": 5, "C": ["x", b"y"], "D": "a\tb", "E": ""})
    assert list(headers.get_all()) == [
        ("A", "bytes"), ("B", "5"), ("C", "x"), ("C", "y"), ("D", "a\tb"), ("E", "")
    ]  # fmt: skip
    headers["C"] = []
    assert "C" not in headers
    for wrong in (None, True, 1.5, object()):
        with pytest.raises(TypeError):
            headers["F"] = wrong
        with pytest.raises(TypeError):
            headers.add("F", wrong)


def test_add_refuses_surrounding_space_and_wide_characters():
    headers = HTTPHeaders()
    for value in (" x", "x ", "\tx", "测"):
        with pytest.raises(HTTPInputError):
            headers.add("X", value)
    headers.add("X", "测", _chars_are_bytes=False)
    assert headers["X"] == "测"
    with pytest.raises(HTTPInputError):
        headers.add("X", " x", _chars_are_bytes=False)


def test_parse():
    headers = HTTPHeaders.parse("CRLF: crlf\r\nLf: lf \t\nEmpty:\r\n\r\nMore: more")
    assert list(headers.get_all()) == [("Crlf", "crlf"), ("Lf", "lf"), ("Empty", ""), ("More", "more")]
    # Only space and tab are white space here; U+0085 and U+00A0 belong to the value.
    assert HTTPHeaders.parse("A: \xa0b\x85\r\n")["A"] == "\xa0b\x85"


@pytest.mark.parametrize(
    "text",
    [
        "Foo: bar\r\n\tfolded",
        " Foo: bar",
        "Foo bar",
        "Foo : bar",
        ": bar",
        "A: a\rB: b\r\n",
        "A: a\r",
        "A: a\r\r\n",
        "A: 测\r\n",
    ],
)
def test_parse_refuses(text):
    with pytest.raises(HTTPInputError):
        HTTPHeaders.parse(text)


def test_parse_line_takes_one_line():
    headers = HTTPHeaders()
    for line in ("A: 1\r\n", "A: 2\n", "A: 3", "\r\n", ""):
        headers.parse_line(line)
    assert headers.get_list("A") == ["1", "2", "3"]
    with pytest.raises(HTTPInputError):
        headers.parse_line("A: 1\r\nB: 2\r\n")


def test_from_fields():
    fields = [("Host", "x"), ("Cookie", "a"), ("Cookie", "b"), ("Cookie", "c")]
    headers = HTTPHeaders.from_fields(fields)
    assert list(headers.get_all()) == fields
    assert HTTPHeaders.from_fields(fields[:2]) == {"Host": "x", "Cookie": "a"}


def test_encode():
    headers = HTTPHeaders({"a": "b"})
    headers.add("Set-Cookie", "x=\xe9")
    headers.add("Set-Cookie", "y")
    assert headers.encode() == b"A: b\r\nSet-Cookie: x=\xe9\r\nSet-Cookie: y\r\n"
    headers["Wide"] = "测"
    assert headers.encode() == b"A: b\r\nSet-Cookie: x=\xe9\r\nSet-Cookie: y\r\nWide: \xe6\xb5\x8b\r\n"


def test_a_subclass_cannot_smuggle_a_line_out():
    class Lax(HTTPHeaders):
        def __setitem__(self, name, value):
            self._fields[name] = value

    headers = Lax()
    headers["X"] = "fine"
    assert headers.encode() == b"X: fine\r\n"
    headers["X"] = "a\r\nInjected: b"
    with pytest.raises(InvalidHeader):
        headers.encode()


def test_get_follows_a_subclass():
    class Loud(HTTPHeaders):
        def __getitem__(self, name):
            return super().__getitem__(name).upper()

    headers = Loud({"a": "b"})
    assert headers.get("A") == headers["A"] == "B"
    assert headers.get("B", "none") == "none"


def test_copies_are_independent_and_keep_class_and_attributes():
    class Own(HTTPHeaders):
        pass

    headers = Own({"a": ["1", "2"], "b": "c"})
    headers.extra = "kept"
    for twin in (headers.copy(), copy.copy(headers), copy.deepcopy(headers)):
        assert type(twin) is Own
        assert twin.extra == "kept"
        assert twin == headers
        twin.add("A", "3")
        twin["B"] = "d"
        assert list(headers.get_all()) == [("A", "1"), ("A", "2"), ("B", "c")]


def test_pickle():
    headers = HTTPHeaders({"a": ["1", "2"], "b": "c"})
    assert list(pickle.loads(pickle.dumps(headers)).get_all()) == list(headers.get_all())


def test_constructor_takes_headers_with_their_repetitions():
    headers = HTTPHeaders.parse("A: 1\r\nA: 2\r\n")
    assert HTTPHeaders(headers).get_list("A") == ["1", "2"]
    assert HTTPHeaders([("a", "1"), ("a", "2")]).get_list("A") == ["2"]


def test_the_cache_of_names_is_bounded():
    for number in range(names.CACHE_SIZE * 2):
        assert names.normalized(f"x-{number}") == f"X-{number}"
    assert len(names.spellings) <= names.CACHE_SIZE
    names.normalized("x" * 5000)
    assert all(len(name) <= names.CACHED_CHARS for name in names.spellings)


OPERATIONS = st.lists(st.tuples(st.sampled_from(["add", "set", "del"]), NAMES, VALUES), max_size=20)


@settings(max_examples=60)
@given(OPERATIONS)
def test_behaves_like_an_ordered_multidict(operations):
    headers = HTTPHeaders()
    model: dict[str, list[str]] = {}
    for operation, name, value in operations:
        key = name.lower()
        if operation == "add":
            headers.add(name, value)
            model.setdefault(key, []).append(value)
        elif operation == "set":
            headers[name] = value
            model[key] = [value]
        elif key in model:
            del headers[name]
            del model[key]
        else:
            with pytest.raises(KeyError):
                del headers[name]
    for state in (
        headers,
        headers.copy(),
        HTTPHeaders.parse(str(headers)),
        HTTPHeaders.parse(headers.encode().decode("latin-1")),
        HTTPHeaders.from_fields(list(headers.get_all())),
        pickle.loads(pickle.dumps(headers)),
    ):
        assert [name.lower() for name in state] == list(model)
        for name, values in model.items():
            assert state.get_list(name.upper()) == values
            assert state[name] == state.get(name) == ",".join(values)


@given(st.text(alphabet=st.sampled_from("aB-:\r\n\t \0\x7f\x85\xe9测")))
def test_arbitrary_text_gives_valid_fields_or_an_input_error(text):
    try:
        headers = HTTPHeaders.parse(text)
    except HTTPInputError:
        return
    for name, value in headers.get_all():
        assert FIELD_NAME.fullmatch(name)
        assert FIELD_VALUE.fullmatch(value)
