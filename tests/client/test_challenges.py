"""Lists of challenges, taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.client.challenges import MOST, Challenge, parse_challenges, parse_parameters

TOKENS = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=6)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=8)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([], []),
        ([""], []),
        ([" , ,"], []),
        (["Basic"], [("basic", {})]),
        (['Basic realm="x"'], [("basic", {"realm": "x"})]),
        (["Negotiate YIIa/b==, NTLM"], [("negotiate", {}), ("ntlm", {})]),
        (
            ['Newauth realm="apps", type=1, title="Login to \\"apps\\"", Basic realm="simple"'],
            [("newauth", {"realm": "apps", "type": "1", "title": 'Login to "apps"'}), ("basic", {"realm": "simple"})],
        ),
        (['Digest  Realm = "a, b" ,,NONCE=c', "Basic realm=d"], [("digest", {"realm": "a, b", "nonce": "c"}),
                                                                   ("basic", {"realm": "d"})]),
        # Of a parameter that comes twice, the first one.
        (["Digest a=1, A=2"], [("digest", {"a": "1"})]),
        # What cannot be understood ends its field.
        (['Digest a="1, Basic', "Basic b=2"], [("digest", {}), ("a", {}), ("basic", {"b": "2"})]),
        (["Digest a=1, =, Basic b=2"], [("digest", {"a": "1"})]),
        (['Digest a="\\\\\\a\xe4"'], [("digest", {"a": "\\a\xe4"})]),
    ],
)  # fmt: skip
def test_challenges(fields: list[str], expected: list[tuple[str, dict[str, str]]]) -> None:
    assert parse_challenges(fields) == [Challenge(*each) for each in expected]


def test_parameters_alone() -> None:
    assert parse_parameters('nextnonce="a b", nc=1, rspauth="", NC=2') == {
        "nextnonce": "a b",
        "nc": "1",
        "rspauth": "",
    }
    assert parse_parameters("?") == {}


def test_more_than_anybody_needs() -> None:
    assert len(parse_challenges([", ".join(["Basic a=1"] * 1000)] * 2)) == MOST


@given(
    st.lists(
        st.tuples(TOKENS, st.dictionaries(TOKENS.map(str.lower), VALUES, min_size=1, max_size=4)), max_size=4
    )
)
def test_what_was_put_together_is_taken_apart(challenges: list[tuple[str, dict[str, str]]]) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    text = ", ".join(
        f"{scheme} " + ",".join(f"{name}={quoted(value)}" for name, value in parameters.items())
        for scheme, parameters in challenges
    )
    assert parse_challenges([text]) == [Challenge(scheme.lower(), dict(each)) for scheme, each in challenges]


@given(st.lists(st.text('aB=", \\\t\xe4', max_size=30), max_size=3))
def test_whatever_a_server_sends(fields: list[str]) -> None:
    for scheme, parameters in parse_challenges(fields):
        assert scheme == scheme.lower() != ""
        assert all(parameters)


def test_it_takes_linear_time() -> None:
    """Nothing is looked at again and again: this ends within the limit that every test has."""
    for piece in ('a="', "a ", "a=b ", '\\"', "a=", ", "):
        parse_challenges(["Digest " + piece * 200_000])
