"""Where the time goes, for who asks: how the loop was in the last minutes, and single requests."""

from __future__ import annotations

from typing import Any

from eyewall.doctor.control.commands import Patient
from eyewall.doctor.control.telling import place
from eyewall.doctor.timing.history import merged
from eyewall.doctor.timing.pulse import pulses
from eyewall.doctor.timing.timelines import Timeline, timelines

#: Requests that are told of, of each: those that go on, and those that have ended.
REQUESTS = 50


def history(patient: Patient, since: float = 0.0) -> dict[str, Any]:
    """Returns a point for each second of the last ten minutes, later than `since` (seconds since the epoch): the time,
    the seconds that the loop was late, its busy share, requests a second, bytes of memory. Of several loops, the worst.
    """
    points = merged([each.history.since(since) for each in pulses()])
    return {
        "points": [
            [
                round(each.time, 3),
                round(each.lag, 5),
                round(each.busy, 4),
                round(each.rate, 2),
                int(each.memory),
            ]
            for each in points
        ]
    }


def requests(patient: Patient, limit: int = REQUESTS, route: str | None = None) -> dict[str, Any]:
    """Returns the requests that go on, the oldest first, and those that have ended lately, each in segments; and has
    requests recorded for ten seconds from now. `limit`: of each; `route`: the pattern of a route, where only its
    requests are of interest.
    """
    counted = timelines.ask()
    live, beyond = timelines.live(limit, route)
    ended = [each for each in timelines.ended() if route is None or each.route == route]
    return {
        "counted": counted,
        "recording": round(timelines.recording, 3),
        # Requests that ended and were not recorded: there were too many, or they began before anybody looked.
        "left_out": timelines.left_out,
        "beyond": beyond + max(0, len(ended) - limit),
        "requests": [_timeline(each) for each in (*live, *ended[:limit])],
    }


def _timeline(each: Timeline) -> dict[str, Any]:
    return {
        "id": each.id,
        "request_id": each.request_id,
        "method": each.method,
        "path": each.path,
        "route": each.route,
        "handler": each.handler,
        "status": each.status or None,
        "started": round(each.started, 6),
        "seconds": round(each.seconds, 6),
        "live": each.live,
        "recorded": each.recorded,
        "left_out": each.left_out,
        "segments": [
            {
                "phase": segment.phase,
                "start": round(segment.start - each.started, 6),
                "seconds": round(segment.seconds, 6),
                "place": place(segment.wait.place),
                "source": "" if segment.wait.place is None else segment.wait.place.source,
                "words": segment.wait.words,
            }
            for segment in each.segments
        ],
    }
