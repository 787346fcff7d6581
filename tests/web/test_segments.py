from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.web.segments import segments_of

PATTERNS = [
    r"/user/([^/]+)$",
    r"^/user/([^\/]+)/posts$",
    r"/([^/]+)/([0-9]+)$",
    r"/n/(\d+)-(\d+)\.html$",
    r"/(?P<name>[^/]+)/x/(\d+)/$",
    r"/a/([0-9]+)/([^/]+)$",
    r"([^/]+)$",
]


@pytest.mark.parametrize("pattern", PATTERNS)
@given(
    st.lists(
        st.sampled_from(
            ["/", "user", "posts", "n", "a", "x", "12", "7", "-", ".html", "\n", "%2F", "é", "٣"]
        ),
        max_size=8,
    ).map("".join)
)
def test_it_finds_what_the_regular_expression_finds(pattern: str, path: str) -> None:
    regex = re.compile(pattern)
    segments = segments_of(regex)
    assert segments is not None
    found = regex.match(path)
    assert segments.groups(path) == (None if found is None else found.groups())


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("values", [("a", "1"), ("1", "2"), ("b%2F", "77"), ("3", "z")])
@pytest.mark.parametrize("end", ["", "\n", "/", "x"])
def test_what_the_pattern_says_is_matched(pattern: str, values: tuple[str, str], end: str) -> None:
    regex = re.compile(pattern)
    left = iter(values)
    path = re.sub(r"\([^)]*\)", lambda _: next(left), pattern).strip("^$").replace("\\", "") + end
    segments = segments_of(regex)
    found = regex.match(path)
    assert segments is not None
    assert segments.groups(path) == (None if found is None else found.groups())


@pytest.mark.parametrize(
    "pattern",
    [
        r"/user/(.*)$",
        r"/user/([^/]*)$",
        r"/user/([^/]+)",
        r"/user/([^/]+)-([^/]+)$",
        r"/user/([^/]+)([0-9]+)$",
        r"/user/(\d+)4$",
        r"/user/([^/]+)?$",
        r"/user/([^/]+)/?$",
        r"/(a|[^/]+)$",
        r"/user$",
        r"(?i)/user/([^/]+)$",
        r"/a/([^/]+)$|/b$",
        r"/a.([^/]+)$",
        r"/a(?=b)([^/]+)$",
        r"/user/^([^/]+)$",
    ],
)
def test_what_it_cannot_decide_is_left_to_the_regular_expression(pattern: str) -> None:
    assert segments_of(re.compile(pattern)) is None
