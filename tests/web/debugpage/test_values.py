"""Values as text: bounded, harmless, and without secrets."""

import collections
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.web.debugpage.hiding import HIDDEN, Hider
from eyewall.web.debugpage.values import LENGTH, Values, cut

#: What `cut` adds, and quotation marks.
MORE = 40


def show(value, name="value", **secrets):
    hider = Hider()
    hider.learn(secrets.items())
    return Values(hider).show(name, value)


class Raising:
    def __repr__(self):
        raise SystemError("on purpose")


class Huge:
    def __repr__(self):
        return "x" * 1_000_000


class NoText:
    def __repr__(self):
        return 5


class Endless:
    def __repr__(self):
        return repr(self)


class Lying(dict):
    def items(self):
        raise RuntimeError("on purpose")


@dataclasses.dataclass
class User:
    name: str
    password: str


def test_ordinary_values():
    assert show(5) == "5"
    assert show("text") == "'text'"
    assert show([1, "a", None]) == "[1, 'a', None]"
    assert show({"b": 1, "a": (2,)}) == "{'b': 1, 'a': (2,)}"
    assert show(b"ab") == "b'ab'"


@pytest.mark.parametrize("value", [Raising(), NoText(), Endless()])
def test_a_representation_that_fails(value):
    assert "whose representation raised" in show(value)
    assert "whose representation raised" in show([value])
    assert "whose representation raised" in show({"a": value})


def test_a_class_that_lies():
    show(Lying(a=1))
    show(type("dict", (Lying,), {})(a=1))
    show(type("str", (), {"__repr__": lambda self: "own"})())


@pytest.mark.parametrize(
    "value",
    [
        Huge(),
        [Huge()] * 100,
        "x" * 1_000_000,
        b"x" * 1_000_000,
        list(range(1_000_000)),
        dict.fromkeys(range(100_000), "x" * 1000),
        10**4000,
        [[[[[[[["deep"]]]]]]]],
        collections.deque(range(10_000)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_huge_value_is_cut(value):
    assert len(show(value)) <= LENGTH + MORE


def test_one_that_holds_itself():
    endless = []
    endless.append(endless)
    named = {}
    named["self"] = named
    assert len(show(endless)) + len(show(named)) <= 2 * (LENGTH + MORE)


def test_secrets():
    assert show("hunter2", "password") == HIDDEN
    assert (
        show({"user": "ada", "api_key": "x", b"token": 5})
        == f"{{'user': 'ada', 'api_key': {HIDDEN}, b'token': {HIDDEN}}}"
    )
    assert show(User("ada", "x")) == f"User(name='ada', password={HIDDEN})".replace("User(", "User(")
    assert show("a hunter2 b", password="hunter2") == f"'a {HIDDEN} b'"
    assert show(b"a hunter2 b", password="hunter2").startswith("b'a ")
    assert "hunter2" not in show(b"a hunter2 b", password="hunter2")
    assert "hunter2" not in show("x" * (LENGTH - 4) + "hunter2", password="hunter2")


def test_a_secret_is_not_shown_in_half():
    for start in range(LENGTH - 20, LENGTH + 5):
        assert "hunt" not in show("x" * start + "hunter2", password="hunter2")


def test_a_mark_for_what_is_missing():
    assert cut("abc", 3) == "abc"
    assert cut("abcd", 3) == "abc… (1 more)"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.binary(), inner),
        max_leaves=30,
    )
)
def test_anything_is_text_that_can_be_sent(value):
    shown = show(value)
    assert len(shown.encode()) <= 4 * (LENGTH + MORE)
