"""Several processes as one."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from eyewall.doctor.control.answers import _histogram
from eyewall.doctor.dashboard.merge import (
    ENTRIES,
    FINDINGS,
    common,
    mean,
    merged_findings,
    merged_histogram,
    merged_history,
    merged_states,
    total,
)
from eyewall.guard.histogram import Histogram

from .fakes import state

COUNTS = st.integers(0, 10**6)
SECONDS = st.floats(0, 100, allow_nan=False)
ROUTE = st.fixed_dictionaries(
    {
        "route": st.sampled_from(["/", "/a", "/b"]),
        "handler": st.sampled_from(["A", "B"]),
        "count": COUNTS,
        "seconds": SECONDS,
        "running": SECONDS,
    }
)
PLACE = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {
            "file": st.sampled_from(["a.py", "b.py"]),
            "line": st.integers(1, 3),
            "function": st.just("f"),
            "source": st.just(""),
        }
    ),
)
TASK = st.fixed_dictionaries({"place": PLACE, "count": st.integers(1, 5000)})
NAMES = ("connections", "requests")


@st.composite
def states(draw: st.DrawFn) -> dict[str, Any]:
    entries = {
        name: [{"id": str(number)} for number in range(draw(st.integers(0, 40)))]
        for name in NAMES
        if draw(st.booleans())
    }
    return state(
        memory=draw(st.one_of(st.none(), COUNTS)),
        files=draw(st.one_of(st.none(), COUNTS)),
        threads=draw(COUNTS),
        tasks=draw(st.lists(TASK, max_size=4)),
        routes=draw(st.lists(ROUTE, max_size=4, unique_by=lambda each: (each["route"], each["handler"]))),
        open={"counts": {name: len(some) + 3 for name, some in entries.items()}, "entries": entries},
        guard=[
            {
                "kind": "pool",
                "name": "db",
                "state": {"open": draw(COUNTS), "load": draw(SECONDS), "mode": draw(st.sampled_from("ab"))},
                "counters": {"taken": draw(COUNTS)},
                "histograms": {},
            }
        ],
    )


def added(states: dict[int, dict[str, Any]], name: str) -> Any:
    known = [each[name] for each in states.values() if each[name] is not None]
    return sum(known) if known else None


@given(st.dictionaries(st.integers(1, 99), states(), min_size=1, max_size=5))
def test_what_can_be_added_is_added(several: dict[int, dict[str, Any]]) -> None:
    merged = merged_states(several)
    for name in ("memory", "files", "threads"):
        assert merged[name] == added(several, name)
    assert sum(each["count"] for each in merged["tasks"]) == sum(
        each["count"] for one in several.values() for each in one["tasks"]
    )
    assert sum(each["count"] for each in merged["routes"]) == sum(
        each["count"] for one in several.values() for each in one["routes"]
    )
    assert len({(each["route"], each["handler"]) for each in merged["routes"]}) == len(merged["routes"])
    for name in NAMES:
        assert merged["open"]["counts"].get(name, 0) == sum(
            one["open"]["counts"].get(name, 0) for one in several.values()
        )
    [pool] = merged["guard"]
    assert pool["processes"] == len(several)
    assert pool["counters"]["taken"] == sum(one["guard"][0]["counters"]["taken"] for one in several.values())


@given(st.dictionaries(st.integers(1, 99), states(), min_size=2, max_size=5), st.randoms())
def test_the_order_in_which_they_answer_does_not_matter(
    several: dict[int, dict[str, Any]], random: Any
) -> None:
    order = list(several.items())
    random.shuffle(order)
    assert merged_states(dict(order)) == merged_states(several)


@given(st.dictionaries(st.integers(1, 99), states(), min_size=1, max_size=4))
def test_nothing_of_what_was_answered_is_changed(several: dict[int, dict[str, Any]]) -> None:
    import copy

    before = copy.deepcopy(several)
    merged_states(several)
    assert several == before


@given(st.dictionaries(st.integers(1, 99), states(), min_size=1, max_size=5))
def test_entries_have_their_process(several: dict[int, dict[str, Any]]) -> None:
    merged = merged_states(several)
    for name, some in merged["open"].get("entries", {}).items():
        for each in some:
            assert {"id": each["id"]} in several[each["pid"]]["open"]["entries"][name]


def test_each_process_has_its_share_of_the_entries() -> None:
    many = [{"id": str(number)} for number in range(ENTRIES)]
    few = many[:10]
    several = {
        1: state(open={"counts": {"requests": 5000}, "entries": {"requests": many}}),
        2: state(open={"counts": {"requests": 10}, "entries": {"requests": few}}),
    }
    merged = merged_states(several)["open"]
    assert merged["counts"]["requests"] == 5010
    assert len(merged["entries"]["requests"]) == ENTRIES
    assert sum(each["pid"] == 2 for each in merged["entries"]["requests"]) == 10
    assert merged["sampled"] == ["requests"]


def test_what_one_does_not_know_is_said() -> None:
    merged = merged_states(
        {1: state(), 2: state(open={"counts": {"requests": 1}, "missing": "the loop has not got to it"})}
    )
    assert merged["open"]["missing"] == "process 2: the loop has not got to it"


def test_loops_have_their_process() -> None:
    one = state()
    one["process"] = {**one["process"], "loops": [{"lag": 0.1}]}
    assert merged_states({7: one, 8: state()})["process"]["loops"] == [{"pid": 7, "lag": 0.1}]


def test_words_shares_and_switches() -> None:
    def item(**values: Any) -> dict[str, Any]:
        return state(
            guard=[{"kind": "breaker", "name": "b", "state": values, "counters": {}, "histograms": {}}]
        )

    merged = merged_states(
        {
            1: item(state="open", limit=10, load=0.5, on=True, only=1),
            2: item(state="closed", limit=10, load=1.0, on=True),
            3: item(state="closed", limit=10, load=1, on=True),
        }
    )["guard"][0]["state"]
    assert merged == {"state": "closed (2), open (1)", "limit": 30, "load": 0.833333, "on": True, "only": 1}


# -- histograms ---------------------------------------------------------------------------------------------


def histogram(values: list[float]) -> Histogram:
    found = Histogram()
    for each in values:
        found.observe(each)
    return found


VALUES = st.lists(st.lists(st.floats(0, 100, allow_nan=False), max_size=30), min_size=1, max_size=4)


@given(VALUES)
def test_merged_buckets_say_what_one_histogram_of_all_values_says(parts: list[list[float]]) -> None:
    merged = merged_histogram([_histogram(histogram(each)) for each in parts])
    whole = _histogram(histogram([value for each in parts for value in each]))
    assert merged["count"] == whole["count"]
    assert merged["buckets"] == whole["buckets"]
    assert abs(merged["mean"] - whole["mean"]) < 1e-4
    for name in ("median", "p99", "largest"):
        assert abs(merged[name] - whole[name]) < 1e-5, name


@given(VALUES)
def test_without_buckets_the_largest_are_kept(parts: list[list[float]]) -> None:
    told = [_histogram(histogram(each)) for each in parts]
    for each in told[:1]:
        del each["buckets"]
    merged = merged_histogram(told)
    whole = histogram([value for each in parts for value in each])
    assert merged["p99"] >= whole.quantile(0.99) - 1e-5
    assert "buckets" not in merged


# -- findings and history -----------------------------------------------------------------------------------


def test_the_worst_finding_comes_first_then_the_latest() -> None:
    found = merged_findings(
        {
            1: [
                {"rule": "a", "severity": "notice", "last_seen": "2"},
                {"rule": "b", "severity": "error", "last_seen": "1"},
            ],
            2: [
                {"rule": "c", "severity": "error", "last_seen": "3"},
                {"rule": "d", "severity": "new", "last_seen": "9"},
            ],
        }
    )
    assert [(each["rule"], each["pid"]) for each in found] == [("c", 2), ("b", 1), ("a", 1), ("d", 2)]


def test_not_more_findings_than_can_be_shown() -> None:
    many = [{"rule": str(each), "severity": "error"} for each in range(FINDINGS)]
    assert len(merged_findings({1: many, 2: many})) == FINDINGS


def test_history_has_the_largest_lag_and_the_sum_of_requests() -> None:
    assert merged_history(
        {
            1: [[10.2, 0.5, 0.25, 3.0, 100], [11.2, 0.1, 0.5, 1.0, 100]],
            2: [[10.9, 0.7, 0.75, 4.0, 200], [12.0, None, None, None, None]],
        }
    ) == [[10.0, 0.7, 0.5, 7.0, 300], [11.0, 0.1, 0.5, 1.0, 100], [12.0, None, None, None, None]]


def test_of_nothing() -> None:
    assert total([]) is None
    assert total([None]) is None
    assert mean([]) is None
    assert mean([(None, 1.0), (1.0, 0)]) is None
    assert common([]) is None
    assert merged_history({}) == []
    assert merged_states({})["tasks"] == []
