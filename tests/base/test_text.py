from __future__ import annotations

import enum
import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base.text import escape_text, text_of, to_unicode, utf8, xhtml_escape

#: Half of the characters are ones that matter, so that runs and mixtures of them come up.
MARKUP = st.text(st.one_of(st.sampled_from("&<>\"'"), st.characters()), max_size=120)


@given(MARKUP)
def test_escaping_is_that_of_the_standard_library(text: str) -> None:
    assert xhtml_escape(text) == html.escape(text)
    assert escape_text(text) == html.escape(text)


@given(MARKUP)
def test_escaped_text_reads_as_what_it_was(text: str) -> None:
    if "\x00" not in text and "\r" not in text and not any(0x80 <= ord(char) < 0xA0 for char in text):
        assert html.unescape(escape_text(text)) == text


@pytest.mark.parametrize("size", [0, 1, 47, 48, 49, 1000])
@pytest.mark.parametrize("special", list("&<>\"'"))
def test_every_special_character_is_found_at_both_ends_of_any_length(size: int, special: str) -> None:
    for text in (special + "x" * size, "x" * size + special):
        assert xhtml_escape(text) == html.escape(text)


@pytest.mark.parametrize("text", ["", "plain", "x" * 500, "né", "0123 ,.;:=?@"])
def test_text_without_special_characters_comes_back_itself(text: str) -> None:
    assert xhtml_escape(text) is text
    assert escape_text(text) is text


def test_bytes_are_decoded() -> None:
    assert xhtml_escape("<é>".encode()) == "&lt;é&gt;"
    assert escape_text("<é>".encode()) == "&lt;é&gt;"
    with pytest.raises(UnicodeDecodeError):
        xhtml_escape(b"\xff")


def test_escaping_takes_strings_only() -> None:
    for value in (None, 1, ["<"]):
        with pytest.raises(TypeError, match=type(value).__name__):
            xhtml_escape(value)  # type: ignore[arg-type]


class Shade(str, enum.Enum):  # noqa: UP042 - StrEnum has a __str__ of its own
    DARK = "<dark>"


class Tag:
    def __str__(self) -> str:
        return "<tag>"


def test_templates_print_any_value() -> None:
    assert escape_text(42) == "42"
    assert escape_text(True) == "True"
    assert escape_text(None) == "None"
    assert escape_text(1.5) == "1.5"
    assert escape_text(Tag()) == "&lt;tag&gt;"
    assert text_of(Tag()) == "<tag>"
    assert text_of("é".encode()) == "é"


def test_of_a_subclass_of_str_the_text_counts() -> None:
    assert escape_text(Shade.DARK) == "&lt;dark&gt;"
    assert xhtml_escape(Shade.DARK) == "&lt;dark&gt;"
    assert type(text_of(Shade.DARK)) is str


def test_conversions_leave_what_is_right_as_it_is() -> None:
    data, text = b"\xff", "é"
    assert utf8(data) is data
    assert utf8(None) is None
    assert utf8(text) == b"\xc3\xa9"
    assert to_unicode(text) is text
    assert to_unicode(None) is None
    assert to_unicode(b"\xc3\xa9") == "é"


@pytest.mark.parametrize("value", [1, 1.5, [], object(), bytearray(b"x")])
def test_conversions_refuse_what_is_no_string(value: object) -> None:
    with pytest.raises(TypeError, match=type(value).__name__):
        utf8(value)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=type(value).__name__):
        to_unicode(value)  # type: ignore[call-overload]


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(UnicodeDecodeError):
        to_unicode(b"\xff")
