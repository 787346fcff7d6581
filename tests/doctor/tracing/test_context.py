"""W3C trace context, to and fro."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.doctor.tracing.context import (
    LENGTH,
    MEMBERS,
    TraceContext,
    new_trace,
    parse,
    parse_traceparent,
    parse_tracestate,
)

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("text", "context"),
    [
        (PARENT, TraceContext(TRACE, SPAN, 1)),
        (f"  {PARENT}\t", TraceContext(TRACE, SPAN, 1)),
        (f"00-{TRACE}-{SPAN}-00", TraceContext(TRACE, SPAN, 0)),
        # Flags that are not known yet are not passed on.
        (f"00-{TRACE}-{SPAN}-ff", TraceContext(TRACE, SPAN, 1)),
        # A later version may say more.
        (f"cc-{TRACE}-{SPAN}-01", TraceContext(TRACE, SPAN, 1)),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-brings", TraceContext(TRACE, SPAN, 1)),
        (f"cc-{TRACE}-{SPAN}-01.what", None),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (PARENT.upper(), None),
        (f"00-{TRACE}-{SPAN}-1", None),
        (f"00-{TRACE[:-1]}-{SPAN}-01", None),
        (f"00-{TRACE}-{SPAN}-0x", None),
        ("", None),
    ],
)
def test_traceparent(text: str, context: TraceContext | None) -> None:
    assert parse_traceparent(text) == context


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", (("rojo", "00f067aa0ba902b7"), ("congo", "t61rcWkgMzE"))),
        (" a=1 ,, b=2 ,", (("a", "1"), ("b", "2"))),
        ("fw529a3039@dt=FfAAAA", (("fw529a3039@dt", "FfAAAA"),)),
        ("0tenant@system=1", (("0tenant@system", "1"),)),
        ("0vendor=1", ()),
        ("a=1,a=2", ()),
        ("A=1", ()),
        ("a=b=c", ()),
        ("a= ", ()),
        ("a=ä", ()),
        ("a", ()),
        ("", ()),
    ],
)
def test_tracestate(text: str, members: tuple[tuple[str, str], ...]) -> None:
    assert parse_tracestate(text) == members


def test_a_tracestate_has_bounds() -> None:
    assert len(parse_tracestate(",".join(f"k{number}=v" for number in range(MEMBERS)))) == MEMBERS
    assert parse_tracestate(",".join(f"k{number}=v" for number in range(MEMBERS + 1))) == ()
    long = parse_tracestate(",".join(f"k{number}={'v' * 100}" for number in range(10)))
    assert [name for name, _ in long] == ["k0", "k1", "k2", "k3"]
    assert len(TraceContext(TRACE, SPAN, 1, long).tracestate()) <= LENGTH


def test_both_fields() -> None:
    assert parse(None, "a=1") is None
    assert parse("nonsense", "a=1") is None
    assert parse(PARENT, None) == TraceContext(TRACE, SPAN, 1)
    assert parse(PARENT, "a=1") == TraceContext(TRACE, SPAN, 1, (("a", "1"),))
    assert parse(PARENT, "a=1,a=1") == TraceContext(TRACE, SPAN, 1)


def test_a_child_is_of_the_same_trace() -> None:
    context = new_trace()
    child = context.child()
    assert child.trace_id == context.trace_id
    assert child.span_id != context.span_id
    assert child.sampled
    assert not new_trace(sampled=False).sampled


HEX = "0123456789abcdef"
ids = st.tuples(
    st.text(HEX, min_size=32, max_size=32).filter(lambda text: text.strip("0")),
    st.text(HEX, min_size=16, max_size=16).filter(lambda text: text.strip("0")),
)
members = st.dictionaries(
    st.from_regex(r"[a-z][_0-9a-z*/-]{0,10}", fullmatch=True),
    st.from_regex(r"[\x21-\x2b\x2d-\x3c\x3e-\x7e]{1,10}", fullmatch=True),
    max_size=20,
)


@given(ids, st.integers(0, 1), members)
def test_what_is_written_is_read(both: tuple[str, str], flags: int, state: dict[str, str]) -> None:
    context = TraceContext(*both, flags, tuple(state.items()))
    assert parse(context.traceparent(), context.tracestate()) == context


@given(st.text(), st.text())
def test_nothing_that_a_client_sends_is_an_error(parent: str, state: str) -> None:
    parse(parent, state)
    context = parse(PARENT, state)
    assert context is not None
    # What is passed on is fit for a header.
    assert context.tracestate().isascii()
    assert len(context.tracestate()) <= LENGTH
