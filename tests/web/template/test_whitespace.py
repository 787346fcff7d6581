"""White space between tags."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.web.template import filter_whitespace
from eyewall.web.template.whitespace import mode_for

BLANKS = st.text(st.sampled_from(" \t\n\r\x0b\xa0ab"))


@pytest.mark.parametrize(
    ("mode", "text", "expected"),
    [
        ("all", " \n\t x", " \n\t x"),
        ("single", "   \n\t\n asdf\t   ", "\nasdf "),
        ("single", "a\r\n\r\nb", "a\nb"),
        ("single", "a \xa0 b", "a \xa0 b"),
        ("single", "a\xa0\n\xa0b", "a\nb"),
        ("single", "a \r b", "a \r b"),
        ("single", "a\tb", "a b"),
        ("oneline", "\n a \n\n b\xa0\n", " a b "),
    ],
)
def test_modes(mode, text, expected):
    assert filter_whitespace(mode, text) == expected


def test_unknown_mode():
    with pytest.raises(ValueError, match="invalid whitespace mode x"):
        filter_whitespace("x", "")


@given(BLANKS)
def test_single_keeps_words_and_line_breaks(text):
    done = filter_whitespace("single", text)
    assert done.split() == text.split()
    assert "  " not in done
    assert "\t" not in done
    assert not re.search(r"\s\n|\n\s", done)
    assert [("\n" in run) for run in re.findall(r"\s+", done)] == [
        ("\n" in run) for run in re.findall(r"\s+", text)
    ]


@given(BLANKS)
def test_oneline_has_spaces_only(text):
    done = filter_whitespace("oneline", text)
    assert done.split() == text.split()
    assert not re.search(r"\s\s|[^\S ]", done)


@pytest.mark.parametrize(
    ("name", "mode"),
    [("a.html", "single"), ("a.js", "single"), ("a.txt", "all"), ("a.HTML", "all"), ("<string>", "all")],
)
def test_mode_by_name(name, mode):
    assert mode_for(name) == mode
