from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base.escape import linkify


def link(address: str, target: str | None = None) -> str:
    return f'<a href="{html.escape(target or address)}">{html.escape(address)}</a>'


@pytest.mark.parametrize(
    ("text", "address", "rest"),
    [
        ("http://a.example/x", "http://a.example/x", ""),
        ("https://a.example/x?a=1&b=2#c", "https://a.example/x?a=1&b=2#c", ""),
        ("http://user:pw@a.example:8080", "http://user:pw@a.example:8080", ""),
        ("http://[::1]:8080/x", "http://[::1]:8080/x", ""),
        ("http://a.example/x.", "http://a.example/x", "."),
        ("http://a.example/x/?!,", "http://a.example/x/", "?!,"),
        ("http://a.example/x....", "http://a.example/x", "...."),
        ("http://a.example/x)", "http://a.example/x", ")"),
        ("http://a.example/x_(y)", "http://a.example/x_(y)", ""),
        ("http://a.example/x_((y)z)/(w).", "http://a.example/x_((y)z)/(w)", "."),
        ("http://a.example/x(y", "http://a.example/x", "(y"),
        ("http://a.example/x(y]z)", "http://a.example/x", "(y]z)"),
        ("http://a.example/x(((((", "http://a.example/x", "((((("),
        ('http://a.example/x"y', "http://a.example/x", '"y'),
        ("http://a.example/x<b>", "http://a.example/x", "<b>"),
        ("http://a.example/x\u00a0y", "http://a.example/x", "\u00a0y"),
        ("http://\u4f8b.example/\u8def", "http://\u4f8b.example/\u8def", ""),
        ("HTTP://a.example", "HTTP://a.example", ""),
    ],
)
def test_where_an_address_ends(text: str, address: str, rest: str) -> None:
    assert linkify(text) == link(address) + html.escape(rest)
    assert linkify(f"({text}") == "(" + link(address) + html.escape(rest)
    assert linkify(f"see: {text} & more") == "see: " + link(address) + html.escape(f"{rest} & more")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain <b>text</b> & more",
        "http://",
        "www.",
        "www. example",
        "http:// x",
        "xwww.a.example",
        "javascript://a.example/%0aalert(1)",
        "ftp://a.example/x",
        "xhttp://a.example",
        "file:///etc/passwd",
        "javascript:/www.a.example/",
    ],
)
def test_what_is_no_link_is_only_escaped(text: str) -> None:
    assert linkify(text) == html.escape(text)


def test_addresses_without_a_protocol() -> None:
    assert linkify("at www.a.example.") == "at " + link("www.a.example", "http://www.a.example") + "."
    assert linkify("at www.a.example.", require_protocol=True) == "at www.a.example."
    assert linkify("http://www.a.example", require_protocol=True) == link("http://www.a.example")


def test_other_protocols_have_to_be_permitted() -> None:
    assert linkify("rdar:/1234", permitted_protocols=["rdar"]) == link("rdar:/1234")
    assert linkify("http://a.example", permitted_protocols=["https"]) == "http://a.example"


def test_bytes_are_decoded() -> None:
    assert linkify("é www.a.example".encode()) == "é " + link("www.a.example", "http://www.a.example")


@pytest.mark.parametrize(
    ("address", "label"),
    [
        ("http://a.example/exactly30charact", None),
        ("http://reallylong.example/1st/second", "http://reallylong.example/1st..."),
        ("http://reallylong.example/?a=1&b=2&c=3", "http://reallylong.example/..."),
        ("http://" + "x" * 40 + ".example", "http://" + "x" * 23 + "..."),
        ("http://long.example/and-amp-&&&&&&&&", "http://long.example/and-amp-&&..."),
    ],
)
def test_long_addresses_are_shortened_between_characters(address: str, label: str | None) -> None:
    shortened = linkify(address, shorten=True)
    if label is None:
        assert shortened == link(address)
    else:
        href = html.escape(address)
        assert shortened == f'<a href="{href}" title="{href}">{html.escape(label)}</a>'


def test_extra_parameters() -> None:
    assert linkify("www.a.example", extra_params=' rel="nofollow" ') == (
        '<a href="http://www.a.example" rel="nofollow">www.a.example</a>'
    )
    seen: list[str] = []

    def parameters(target: str) -> str:
        seen.append(target)
        return 'class="x"' if "&" in target else ""

    linked = linkify("www.a.example/?a&b http://b.example", extra_params=parameters)
    assert seen == ["http://www.a.example/?a&b", "http://b.example"]
    assert linked.count('class="x"') == 1


PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "http://",
                "www.",
                "a.example",
                "/",
                "(",
                ")",
                "[",
                "]",
                " ",
                ".",
                "<",
                ">",
                '"',
                "'",
                "&",
                "ftp:/",
                "a",
            ]
        ),
        st.text(max_size=2),
    ),
    max_size=25,
).map("".join)


@given(PIECES, st.booleans())
def test_the_text_stays_what_it_was_and_nothing_in_it_becomes_markup(text: str, shorten: bool) -> None:
    linked = linkify(text, shorten=shorten)
    without = re.sub(
        r'<a href="([^"<>]*)"( title="[^"<>]*")?>([^<>]*)</a>', lambda m: m[1] if shorten else m[3], linked
    )
    assert "<" not in without
    if not shorten:
        assert without == html.escape(text)


def steps(text: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many characters were looked at to find the ends of addresses in `text`."""
    from eyewall.base import links

    count = 0
    original = links._ends_address
    match_brackets = links._match_brackets

    def counted(char: str) -> bool:
        nonlocal count
        count += 1
        return original(char)

    def counted_run(text: str, start: int, partner: dict[int, int]) -> None:
        nonlocal count
        # There is no white space in these texts, so every run goes to their end.
        count += len(text) - start
        match_brackets(text, start, partner)

    with monkeypatch.context() as patch:
        patch.setattr(links, "_match_brackets", counted_run)
        patch.setattr(links, "_ends_address", counted)
        linkify(text)
    return count


@pytest.mark.parametrize(
    "unit", ["www.a(", "http://a.", "www.a)", "www.a(b)", "www.a([)]", "www.a((((", "ftp:/a("]
)
def test_work_is_linear_in_the_text(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    few = steps(unit * 50, monkeypatch)
    many = steps(unit * 500, monkeypatch)
    assert many < 12 * few
