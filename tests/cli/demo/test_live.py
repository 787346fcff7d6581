from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from eyewall.cli.demo import meter
from eyewall.cli.demo.handlers import live
from eyewall.cli.demo.meter import Meter

from .site import PATIENCE, Site, Visitor

pytestmark = pytest.mark.one_build


class Stream:
    """The events of `/live/numbers`, as they come."""

    def __init__(self, site: Site, last: str | None = None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", site.port), PATIENCE)
        seen = "" if last is None else f"Last-Event-ID: {last}\r\n"
        self.socket.sendall(f"GET /live/numbers HTTP/1.1\r\nHost: a\r\n{seen}\r\n".encode())
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        while (line := self.file.readline().strip()) != b"":
            name, _, value = line.decode().partition(": ")
            self.headers[name.lower()] = value

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.file.close()
        self.socket.close()

    def lines(self) -> Iterator[str]:
        # Each chunk is a line with its size, the content, and an empty line.
        while size := int(self.file.readline() or b"0", 16):
            yield from self.file.read(size).decode().split("\n")
            self.file.readline()

    def events(self) -> Iterator[dict[str, str]]:
        event: dict[str, str] = {}
        for line in self.lines():
            if line:
                name, _, value = line.partition(": ")
                event[name] = value
            elif "data" in event:
                yield event
                event = {}


def test_numbers_come_and_go_on_where_they_were(site: Site) -> None:
    assert Visitor(site).ask("GET", "/ping").body == b"pong"
    with Stream(site) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream"
        events = stream.events()
        first, second = next(events), next(events)
        assert first["retry"] == "2000"
        assert first["event"] == "sample"
        assert second["id"] > first["id"]
        sample = json.loads(second["data"])
        assert sample["connections"] >= 1
        assert sample["memory"] > 5
        assert sample["lag"] >= 0
        assert sample["total"] >= 1
    with Stream(site, last=first["id"]) as stream:
        assert next(stream.events())["id"] == second["id"]


@pytest.mark.parametrize("last", ["", "x", "-5", "9" * 5000, "\u0663".encode().decode("latin-1")])
def test_who_makes_no_sense_hears_everything(site: Site, last: str) -> None:
    with Stream(site) as stream:
        first = next(stream.events())
    with Stream(site, last) as stream:
        event = next(events := stream.events())
        if last:
            assert event["event"] == "gap"
            event = next(events)
        assert (event["id"], event["data"]) == (first["id"], first["data"])


def test_streams_end_with_the_demo(site: Site) -> None:
    with Stream(site) as stream:
        events = stream.events()
        next(events)
        site.stop()
        # The end is that of a whole response: the last chunk.
        for _ in events:
            pass
        assert stream.file.readline() == b"\r\n"


def test_there_are_only_so_many_streams(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "STREAMS", 1)
    with Stream(site) as first:
        next(first.events())
        with Stream(site) as second:
            assert second.status == 503


@pytest.mark.parametrize("where", ["loop", "thread"])
def test_waiting_is_done_as_asked_and_not_too_often(
    visitor: Visitor, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BLOCK_SECONDS", 0.01)
    answer = visitor.ask("POST", f"/api/block/{where}")
    assert (answer.status, answer.json) == (200, {"waited": 0.01})
    again = visitor.ask("POST", f"/api/block/{where}")
    assert again.status == 429
    assert again.headers["Retry-After"] == "1"
    assert visitor.ask("POST", "/api/block/disk").status == 404


# -- the meter, without a clock -----------------------------------------------------------------------------


class Measured:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.samples: list[dict[str, Any]] = []
        monkeypatch.setattr(meter.time, "monotonic", lambda: self.now)
        self.meter = Meter(lambda: 3, self.samples.append)

    def pass_second(self, ticks: int = 20, late: float = 0.0) -> dict[str, Any]:
        for number in range(ticks):
            self.now += 0.05 + (late if number == 5 else 0)
            self.meter._tick()
        self.meter._sample()
        return self.samples[-1]


def test_lag_is_how_late_a_tick_came_at_worst(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = Measured(monkeypatch)
    assert measured.pass_second()["lag"] == 0.0
    assert measured.pass_second(late=0.4)["lag"] == 400.0
    assert measured.pass_second()["lag"] == 0.0


def test_requests_are_counted_by_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = Measured(monkeypatch)
    for _ in range(30):
        measured.meter.count_request(None)
    sample = measured.pass_second()
    assert (sample["requests"], sample["total"], sample["connections"]) == (30.0, 30, 3)
    assert measured.pass_second(ticks=40)["requests"] == 0.0
    for _ in range(10):
        measured.meter.count_request(None)
    # A sample that comes late counts for the time it took.
    assert measured.pass_second(ticks=40)["requests"] == 5.0
