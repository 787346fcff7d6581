"""Cutting templates into tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.web.template.errors import ParseError
from eyewall.web.template.lexer import Kind, Token, tokenize


def cut(source):
    return list(tokenize(source, "t.html"))


def attempt(source):
    """The tokens, or the error."""
    try:
        return cut(source), None
    except ParseError as error:
        return [], error


def kinds(source):
    return [(token.kind.name, token.text) for token in cut(source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", []),
        ("plain", [("TEXT", "plain")]),
        ("a{{ b }}c", [("TEXT", "a"), ("EXPRESSION", " b "), ("TEXT", "c")]),
        ("{% if x %}", [("DIRECTIVE", " if x ")]),
        ("a{# gone #}b", [("TEXT", "a"), ("TEXT", "b")]),
        ("{# {{ {% #}", []),
        ("{", [("TEXT", "{")]),
        ("a{", [("TEXT", "a{")]),
        ("{a}{ {", [("TEXT", "{a}{ {")]),
        ("}} %} #}", [("TEXT", "}} %} #}")]),
        ("{{!", [("TEXT", "{{")]),
        ("{{!x}}", [("TEXT", "{{"), ("TEXT", "x}}")]),
        ("{%!{#!", [("TEXT", "{%"), ("TEXT", "{#")]),
        ("{{!{{1}}", [("TEXT", "{{"), ("EXPRESSION", "1")]),
        ("{{{ x }}}", [("TEXT", "{"), ("EXPRESSION", " x "), ("TEXT", "}")]),
        ("{{{{{x}}}}}", [("TEXT", "{{{"), ("EXPRESSION", "x"), ("TEXT", "}}}")]),
        ("{{{!", [("TEXT", "{"), ("TEXT", "{{")]),
        ("{{ '}}' }}", [("EXPRESSION", " '"), ("TEXT", "' }}")]),
    ],
)
def test_tokens(source, expected):
    assert kinds(source) == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("\n\n{{", "Missing end expression }} at t.html:3"),
        ("\n{% if", "Missing end block %} at t.html:2"),
        ("{# \n\n", "Missing end comment #} at t.html:1"),
        ("{{ a }", "Missing end expression }} at t.html:1"),
        ("{{{% if x %}", "Missing end expression }} at t.html:1"),
    ],
)
def test_unclosed_tags(source, message):
    with pytest.raises(ParseError) as caught:
        cut(source)
    assert str(caught.value) == message


def test_places():
    tokens = cut("ab\nä{{ x }}{# \n #}{% y %}")
    assert [(t.line, t.column) for t in tokens] == [(1, 0), (2, 4), (3, 5)]
    assert tokens[1] == Token(Kind.EXPRESSION, " x ", 2, 4)


@given(st.text(st.characters(exclude_characters="{")))
def test_text_without_opening_braces_is_one_token(text):
    assert [token.text for token in cut(text)] == ([text] if text else [])


@given(st.lists(st.sampled_from(["{", "}", "%", "#", "!", " ", "x", "\n", "ä"])).map("".join))
def test_tokens_are_where_they_say_in_order(source):
    tokens, error = attempt(source)
    if error is not None:
        assert 1 <= error.lineno <= source.count("\n") + 1
        return
    lines = source.split("\n")
    end = 0
    for token in tokens:
        before = lines[token.line - 1].encode()[: token.column].decode()
        begin = sum(len(line) + 1 for line in lines[: token.line - 1]) + len(before)
        assert begin >= end
        assert source.startswith(token.text, begin)
        end = begin + len(token.text)


@pytest.mark.parametrize(
    "piece", ["{", "{{!", "{a", "{# #}", "{{x}}", "\n{{x}}", "{% %}", "ä{{x}}", "{{{x}}"]
)
def test_the_work_grows_with_the_length(piece):
    """Counts the characters that are looked at through slices, which is where positions come from."""

    class Counted(str):
        looked = 0

        def __getitem__(self, index):
            found = str.__getitem__(self, index)
            if isinstance(index, slice) and len(found) > 2:
                Counted.looked += len(found)
            return found

    source = Counted(piece * 2000)
    attempt(source)
    assert Counted.looked <= 3 * len(source)
