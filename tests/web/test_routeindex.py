import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.web import routeindex
from eyewall.web.matchers import AnyMatches, Matcher, PathMatches
from eyewall.web.routeindex import Route, RouteIndex
from tests.web.stubs import fake_request


class Rule:
    def __init__(self, matcher, target=None):
        self.matcher = matcher
        self.target = target
        self.target_kwargs = {}


class EvenLength(Matcher):
    def match(self, request):
        return {} if len(request.path) % 2 == 0 else None


def index_of(patterns, final=True):
    rules = [Rule(PathMatches(pattern), number) for number, pattern in enumerate(patterns)]
    return RouteIndex([Route(order, rule, final) for order, rule in enumerate(rules)])


def found(index, path):
    match = index.find(path, fake_request(uri=path), None)
    return None if match is None else (match.target, match.raw_args, match.raw_kwargs)


def test_order_is_kept():
    index = index_of(["/a/(.*)", "/a/b", "/(.*)", "/a/c"])
    assert found(index, "/a/b") == (0, ("b",), {})
    assert found(index, "/x") == (2, ("x",), {})
    index = index_of(["/a/b", "/a/(.*)", "/a/b"])
    assert found(index, "/a/b") == (0, (), {})
    assert found(index, "/a/x") == (1, ("x",), {})
    assert found(index, "/b") is None


def test_named_and_optional_groups():
    index = index_of(["/n/(?P<x>[^/]*)(?P<y>/.*)?", "/o/(a)?(b)?"])
    assert found(index, "/n/1%20") == (0, (), {"x": "1%20", "y": None})
    assert found(index, "/o/b") == (1, (None, "b"), {})


def test_matches_without_groups_are_shared():
    index = index_of(["/a", "/[bc]"])
    for path in ("/a", "/b"):
        request = fake_request(uri=path)
        assert index.find(path, request, None) is index.find(path, request, None)


def test_only_what_starts_like_the_path_is_tried():
    patterns = [f"/resource{number}/([0-9]+)" for number in range(500)]
    index = index_of(patterns)
    assert [route.order for route in index.candidates("/resource77/1")] == [77]
    assert list(index.candidates("/other")) == []


def test_a_literal_path_runs_no_expression():
    index = index_of([f"/page{number}" for number in range(500)] + ["/(.*)"])
    (candidate,) = index.candidates("/page77")
    assert candidate.order == 77
    assert candidate.kind == 1  # WHOLE


def test_nested_prefixes():
    patterns = ["/(x)?a", "/api/(.*)1", "/api/users/(.*)2", "/apiary/(.*)", "/api/users/new/(.*)", "/z/(.*)"]
    index = index_of(patterns)

    def orders(path):
        return [route.order for route in index.candidates(path)]

    assert orders("/") == [0]
    assert orders("/api/x") == [0, 1]
    assert orders("/api/users/9") == [0, 1, 2]
    assert orders("/api/users/new/9") == [0, 1, 2, 4]
    assert orders("/api/usersnew") == [0, 1]
    assert orders("/apiary/") == [0, 3]
    assert orders("/apis") == [0]
    assert orders("") == []
    assert orders("zzz") == []


def test_a_changed_matcher_is_asked():
    class Odd(PathMatches):
        def match(self, request):
            return {} if request.path == "/elsewhere" else None

    index = RouteIndex(
        [Route(0, Rule(Odd("/a"), "odd"), True), Route(1, Rule(PathMatches("/a"), "plain"), True)]
    )
    asked = []

    def resolve(route, params, path, request):
        asked.append((route.rule.target, params, path))
        return "answer"

    assert index.find("/elsewhere", fake_request(uri="/elsewhere"), resolve) == "answer"
    assert asked == [("odd", {}, "/elsewhere")]
    assert found(index, "/a")[0] == "plain"


def test_targets_that_are_not_final_may_pass():
    rules = [Rule(PathMatches("/a"), 0), Rule(PathMatches("/(.*)"), 1), Rule(AnyMatches(), 2)]
    index = RouteIndex([Route(0, rules[0], False), Route(1, rules[1], False), Route(2, rules[2], True)])
    seen = []

    def resolve(route, params, path, request):
        seen.append((route.rule.target, params))

    assert index.find("/a", fake_request(uri="/a"), resolve).target == 2
    assert seen == [(0, {}), (1, {"path_args": [b"a"], "path_kwargs": {}})]


def test_what_is_kept_is_bounded(monkeypatch):
    monkeypatch.setattr(routeindex, "KEPT_CANDIDATES", 3)
    index = index_of(["/a/(.*)", "/a/b/(.*)", "/a/b/c", "/(.*)"], final=False)
    for _ in range(2):
        assert [route.order for route in index.candidates("/a/b/c")] == [0, 1, 2, 3]
        assert [route.order for route in index.candidates("/a/b/x")] == [0, 1, 3]
        assert [route.order for route in index.candidates("/a/")] == [0, 3]


SEGMENTS = ["a", "ab", "b", "a.b", "api", "", "1"]
PATTERN_PARTS = [
    *SEGMENTS,
    r"a\.b",
    "(a|b)",
    "(.*)",
    "[ab]+",
    "(ab)?",
    r"(\d+)",
    "a?",
    "a|b",
    "^",
    "$",
    ".",
    "a*",
]
patterns = st.lists(st.sampled_from(PATTERN_PARTS), min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)
regexes = st.builds(
    lambda source, kind: {
        0: source,
        1: re.compile(source),
        2: re.compile(source, re.IGNORECASE),
        3: re.compile(source, re.MULTILINE),
    }[kind],
    patterns,
    st.sampled_from([0, 0, 0, 1, 2, 3]),
)
matchers = st.one_of(
    regexes.map(PathMatches), regexes.map(PathMatches), st.builds(AnyMatches), st.builds(EvenLength)
)
paths = st.lists(st.sampled_from([*SEGMENTS, "A", "a\n", "\n"]), max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)


@given(st.lists(st.tuples(matchers, st.booleans()), max_size=12), st.lists(paths, min_size=1, max_size=8))
def test_the_same_as_trying_each(table, tried):
    rules = [Rule(matcher, number) for number, (matcher, _) in enumerate(table)]
    index = RouteIndex([Route(order, rule, table[order][1]) for order, rule in enumerate(rules)])
    for path in tried * 2:
        request = fake_request(uri="/")
        request.path = path
        linear = [
            (rule.target, params) for rule in rules if (params := rule.matcher.match(request)) is not None
        ]
        finals = [at for at, (target, _) in enumerate(linear) if table[target][1]]
        expected = linear[: finals[0] + 1] if finals else linear
        seen = []

        def resolve(route, params, path, request, seen=seen):
            target = route.rule.target
            seen.append((target, params))
            return target if table[target][1] else None

        match = index.find(path, request, resolve)
        if not finals:
            assert match is None
            assert seen == expected
            continue
        winner, params = expected[-1]
        if isinstance(match, int):
            assert match == winner
            assert seen == expected
        else:
            assert match.target == winner
            assert seen == expected[:-1]
            raw = [None if value is None else value.decode() for value in params.get("path_args", [])]
            assert list(match.raw_args) == raw


@pytest.mark.parametrize("size", [5, 500])
def test_table_size_does_not_show(size):
    index = index_of([pattern for n in range(size) for pattern in (f"/page{n}", f"/item{n}/([0-9]+)")])
    assert len(index.candidates("/page3")) == 1
    assert len(index.candidates("/item3/9")) == 1
    assert len(index.candidates("/none")) == 0
