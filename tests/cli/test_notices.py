"""What a supervisor tells the service manager of all workers together."""

from __future__ import annotations

import math

from eyewall.cli.notices import Notices
from eyewall.guard.checks.systemd import Notifier


class Recorder(Notifier):
    """Keeps what it is to send."""

    def __init__(self, watchdog: float | None = None) -> None:
        super().__init__("/nowhere", watchdog)
        self.sent: list[str] = []

    def send(self, *lines: str) -> bool:
        self.sent.append(
            " ".join(line for line in lines if not line.startswith(("MAINPID", "MONOTONIC_USEC")))
        )
        return True

    def take(self) -> list[str]:
        sent, self.sent = self.sent, []
        return sent


def test_it_is_ready_when_all_workers_are() -> None:
    recorder = Recorder()
    notices = Notices(recorder, 2, ["http://a:1"])
    assert notices.beat == math.inf
    for started in (0, 0, 1):
        assert notices.step(0.0, started, False, []) is None
    assert recorder.take() == [
        "STATUS=Starting: 0 of 2 workers have started",
        "STATUS=Starting: 1 of 2 workers have started",
    ]
    notices.step(0.0, 2, True, [])
    notices.step(0.0, 2, True, [])
    assert recorder.take() == ["READY=1 STATUS=Serving on http://a:1, 2 workers"]
    # A crash is mended here, and is no new start.
    notices.step(0.0, 1, False, [])
    notices.step(0.0, 2, True, [])
    assert recorder.take() == [
        "STATUS=Serving on http://a:1, 2 workers, 1 not there",
        "STATUS=Serving on http://a:1, 2 workers",
    ]


def test_a_reload_ends_when_the_last_worker_is_replaced() -> None:
    recorder = Recorder()
    notices = Notices(recorder, 1, [])
    notices.reloading()
    assert recorder.take() == []
    notices.step(0.0, 1, True, [])
    recorder.take()
    notices.reloading()
    notices.step(0.0, 1, False, [])
    notices.step(0.0, 0, False, [])
    assert recorder.take() == ["RELOADING=1 STATUS=Replacing workers one by one"]
    notices.step(0.0, 1, True, [])
    assert recorder.take() == ["READY=1 STATUS=Serving, 1 workers"]


def test_the_end_is_told_and_nothing_after_it() -> None:
    recorder = Recorder()
    notices = Notices(recorder, 1, [])
    notices.step(0.0, 1, True, [])
    recorder.take()
    notices.stopping()
    notices.reloading()
    notices.step(0.0, 0, True, [])
    assert recorder.take() == ["STOPPING=1 STATUS=Draining"]


def test_the_watchdog_is_fed_while_all_are_heard() -> None:
    recorder = Recorder(watchdog=8.0)
    notices = Notices(recorder, 2, [])
    assert notices.beat == 2.0
    # From far beyond the time at which it was made, whatever that is.
    now = 1e9
    assert notices.step(now, 2, True, [now, now]) == 4.0
    assert recorder.take()[-1] == "WATCHDOG=1"
    assert notices.step(now + 4.0, 2, True, [now - 1.0, now + 4.0]) == 0.5
    assert recorder.take() == []
    assert notices.step(now + 5.0, 2, True, [now + 5.0, now + 4.0]) == 4.0
    assert recorder.take() == ["WATCHDOG=1"]


def test_without_a_service_manager_nothing_is_told() -> None:
    notices = Notices(None, 2, [])
    assert notices.beat is None
    notices.reloading()
    notices.stopping()
    notices.close()
    assert notices.step(0.0, 2, True, []) is None
