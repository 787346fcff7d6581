import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.web.pathpattern import literal_prefix, path_template, pieces


@pytest.mark.parametrize(
    ("source", "prefix", "whole"),
    [
        ("/a$", "/a", True),
        ("^/a$", "/a", True),
        ("/a", "/a", False),
        ("$", "", True),
        ("", "", False),
        (r"/favicon\.ico$", "/favicon.ico", True),
        (r"/a\-b\_c\/d$", "/a-b_c/d", True),
        ("/a.b$", "/a", False),
        ("/static/(.*)$", "/static/", False),
        ("/optional_path/(.+)?$", "/optional_path/", False),
        ("/items?$", "/item", False),
        ("/items?+$", "/item", False),
        ("/items*$", "/item", False),
        ("/items+$", "/item", False),
        ("/items{2}$", "/item", False),
        ("/items{,2}$", "/item", False),
        ("/items{x}$", "/item", False),
        (r"/\d+$", "/", False),
        (r"/\A$", "/", False),
        ("/[ab]$", "/", False),
        ("/a|/b$", "", False),
        ("/a|", "", False),
        ("/(a|b)/c$", "/", False),
        ("/x[|]y$", "/x", False),
        ("/x[]|]y$", "/x", False),
        ("/x[^]|]y$", "/x", False),
        (r"/x[\]|]y$", "/x", False),
        (r"/x\|y$", "/x|y", True),
        (r"/x(\)|y)z$", "/x", False),
        ("/x([)|]y)z$", "/x", False),
        ("/x(?#a|(b)|c$", "", False),
        ("/x(?#a[b)y$", "/x", False),
        ("/x((?#a)b)|y$", "", False),
        ("(?:/a)$", "", False),
        ("(?i)/a$", "", False),
        ("/a(?i:b)$", "/a", False),
        ("(?x)/a b$", "", False),
        ("/a$b$", "/a", False),
        ("/a^b$", "/a", False),
        ("/a$$", "/a", False),
        ("/\u00e9$", "/\u00e9", True),
    ],
)
def test_literal_prefix(source, prefix, whole):
    assert literal_prefix(re.compile(source)) == (prefix, whole)


@pytest.mark.parametrize(
    ("flags", "result"),
    [
        (re.IGNORECASE, ("", False)),
        (re.VERBOSE, ("", False)),
        (re.MULTILINE, ("/a", False)),
        (re.DOTALL | re.ASCII, ("/a", True)),
    ],
)
def test_flags(flags, result):
    assert literal_prefix(re.compile("/a$", flags)) == result


PARTS = [
    "a", "b", "/", r"\.", r"\-", ".", "[ab]", "[^]a|]", "(a|b)", "(?:b)", "(?P<n>a*)", "(b(a))", "(?i:a)",
    "(?=a)", "(?!b)", "(?<!a)", "*", "+", "?", "{2}", "{0,1}", "{", "|", "^", "$", r"\w", r"\b", "(?#|)",
    "(?>a)", "}",
]  # fmt: skip
PATHS = st.lists(st.sampled_from(["a", "b", "/", ".", "-", "{", "}", "A", "\n"]), max_size=8).map("".join)


@given(st.lists(st.sampled_from(PARTS), max_size=8).map("".join), st.lists(PATHS, max_size=6), st.booleans())
def test_prefix_never_contradicts_the_expression(source, paths, ignore_case):
    try:
        regex = re.compile(source, re.IGNORECASE if ignore_case else 0)
    except (re.error, OverflowError):
        return
    prefix, whole = literal_prefix(regex)
    for path in [*paths, prefix, prefix + "\n", prefix + "a"]:
        matches = regex.match(path) is not None
        if matches:
            assert path.startswith(prefix)
        if whole:
            assert matches == (path in (prefix, prefix + "\n"))


@given(st.lists(st.sampled_from(PARTS), max_size=10).map("".join))
def test_pieces_cover_valid_expressions(source):
    try:
        re.compile(source)
    except (re.error, OverflowError):
        return
    text = "".join(
        ("\\" if part.text and source.find("\\" + part.text) >= 0 else "") + part.text
        for part in pieces(source)
    )
    assert text.replace("\\", "") == source.replace("\\", "")


@pytest.mark.parametrize(
    ("source", "template"),
    [
        ("/a$", ("/a",)),
        ("^/a$", ("/a",)),
        ("/a/(x)/b/(?P<y>[^)]*)$", ("/a/", "/b/", "")),
        ("/(x)?$", ("/", "")),
        ("/a/?$", ("/a/",)),
        ("/a.b$", ("/a.b",)),
        (r"/\(a\)/(b)$", ("/(a)/", "")),
        ("/100%/(a)$", ("/100%/", "")),
        ("/a|b$", None),
        ("/[ab]$", None),
        (r"/\d$", None),
        ("/((a)b)$", None),
        ("/(?:a)$", None),
        ("/(?:(a))$", None),
        ("/(a)(?#x)$", None),
        ("/a{2}$", None),
        ("/(?=a)$", None),
        (r"/(a)/(?(1)b|c)$", None),
        ("(?x)/a b", None),
    ],
)
def test_path_template(source, template):
    assert path_template(re.compile(source)) == template
