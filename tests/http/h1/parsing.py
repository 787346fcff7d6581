"""Running an engine over bytes, however they are cut, and writing down what it says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from eyewall.guard.profile import NATIVE, Profile
from eyewall.http.errors import RemoteProtocolError
from eyewall.http.h1.engine import DATA, END, HEAD, NEED_DATA, H1Engine
from eyewall.http.h1.head import Head

Event = tuple[Any, ...]


def describe(head: Head) -> dict[str, Any]:
    """All that a head says."""
    names = (
        "method target path query authority host reason status minor content_length chunked body keep_alive "
        "upgrade expect_continue"
    )
    return {**{name: getattr(head, name) for name in names.split()}, "fields": head.fields()}


def read(
    pieces: bytes | Iterable[bytes],
    profile: Profile = NATIVE,
    *,
    client: bool = False,
    methods: Sequence[str] = (),
    eof: bool = False,
    most: int = 10_000,
) -> list[Event]:
    """What an engine makes of `pieces`: ("head", what it says), ("data", content), ("end", trailers), and at last
    ("error", status, message), if there is one. Content that follows on content is joined; how much comes at once is
    nobody's promise. `methods`: what the responses answer.
    """
    engine = H1Engine(profile, client=client)
    asked = list(methods)
    if asked:
        engine.expect(asked.pop(0))
    events: list[Event] = []
    try:
        for piece in [pieces] if isinstance(pieces, bytes) else pieces:
            engine.feed(piece)
            for _ in range(most):
                event = engine.next_event()
                if event == HEAD:
                    assert engine.head is not None
                    events.append(("head", describe(engine.head)))
                elif event == DATA:
                    assert engine.data
                    if events[-1][0] == "data":
                        events[-1] = ("data", events[-1][1] + engine.data)
                    else:
                        events.append(("data", engine.data))
                elif event == END:
                    assert engine.head is not None
                    events.append(("end", engine.head.trailers))
                    engine.start_next()
                    if asked:
                        engine.expect(asked.pop(0))
                else:
                    assert event == NEED_DATA
                    break
            else:
                raise AssertionError("the engine does not come to an end")
        if eof:
            events.append(("eof", engine.feed_eof()))
    except RemoteProtocolError as error:
        events.append(("error", error.status, str(error)))
        # What is broken stays broken.
        engine.feed(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert engine.next_event() == NEED_DATA
    return events


def kinds(events: list[Event]) -> list[str]:
    return [event[0] for event in events]


def refusal(events: list[Event]) -> tuple[int, str] | None:
    """Status and message of the error at the end, None where there is none."""
    last = events[-1] if events else ("",)
    return (last[1], last[2]) if last[0] == "error" else None


def only_head(data: bytes, profile: Profile = NATIVE, **kwargs: Any) -> dict[str, Any]:
    """What the one head says that `data` begins with."""
    events = read(data, profile, **kwargs)
    assert refusal(events) is None, events
    head: dict[str, Any] = events[0][1]
    return head
