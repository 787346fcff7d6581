"""What a process might say: one of everything, in the form of the control socket's answers."""

from __future__ import annotations

from typing import Any

from eyewall.doctor.top.model import Answers


def at(file: str, line: int, function: str) -> dict[str, Any]:
    return {"file": file, "line": line, "function": function, "source": "..."}


REPORT = at("/app/report.py", 3, "Report.get")
JOB = at("/app/jobs.py", 9, "job")


def entry(kind: str, ident: str, **more: Any) -> dict[str, Any]:
    return {
        "id": ident,
        "kind": kind,
        "peer": "10.0.0.7",
        "route": "/report",
        "label": "GET /report",
        "age": 2.0,
        "idle": 0.5,
        "bytes_in": 100,
        "bytes_out": 2048,
        **more,
    }


def route(name: str, count: int, handler: str = "Report") -> dict[str, Any]:
    return {
        "route": name,
        "handler": handler,
        "count": count,
        "seconds": count * 0.2,
        "queued": count * 0.02,
        "receiving": 0.0,
        "running": count * 0.04,
        "blocking": count * 0.04,
        "waiting": count * 0.1,
        "suspended": count,
        "measured": count,
    }


def task(ident: str, name: str, defined: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": ident,
        "name": name,
        "coroutine": defined["function"],
        "defined": defined,
        "state": "waiting",
        "age": 9.0,
        "waiting": 3.0,
        "subject": None,
        "place": {**defined, "line": defined["line"] + 2},
        "chain": [{**defined, "line": defined["line"] + 2}],
        "waits_for": {"kind": "sleep", "words": "a sleep", "seconds_left": 5.0, "tasks": [], "held_by": None},
        "holds": [],
        **more,
    }


STACKS: dict[str, Any] = {
    "pid": 4711,
    "time": "2026-01-01T00:00:00Z",
    "tasks": [
        task("a1", "job-1", JOB),
        task("a2", "job-2", JOB, waiting=7.0),
        task("a3", "/report", REPORT, subject={"method": "GET", "path": "/report", "handler": "Report"}),
    ],
    "threads": [],
}
STATE: dict[str, Any] = {
    "process": {
        "pid": 4711,
        "program": ["app.py", "--name", "a b"],
        "python": "3.11.7",
        "eyewall": "0.1.0",
        "loops": [
            {
                "kind": "uvloop.Loop",
                "thread": "MainThread",
                "running": True,
                "lag": 0.25,
                "tasks": 3,
                "busy": 0.37,
                "lags": {"count": 9, "mean": 0.001, "median": 0.001, "p99": 0.004, "largest": 0.3},
            }
        ],
    },
    "memory": 50 * 1024 * 1024,
    "files": 17,
    "threads": 5,
    "tasks": [{"place": JOB, "count": 2}, {"place": REPORT, "count": 1}, {"place": None, "count": 1}],
    "routes": [route("/report", 100), route("/", 50, "Main")],
    "open": {
        "counts": {"connections": 1, "requests": 2, "websockets": 1, "event_streams": 0},
        "entries": {
            "connections": [entry("connection", "c1")],
            "requests": [
                entry("request", "r1"),
                entry("request", "r2", age=75.0, route="/slow", label="GET /slow?x=\x1b[31m"),
            ],
            "websockets": [entry("websocket", "w1", route="/chat", label="/chat", peer="10.0.0.8")],
        },
    },
    "guard": [
        {
            "kind": "executor",
            "name": "default",
            "state": {
                "medium": "threads",
                "workers": 4,
                "busy": 3,
                "queue": 100,
                "queued": 12,
                "oldest": 1.5,
            },
            "counters": {"done": 7, "failed": 1, "refused": 2},
            "histograms": {"queue_wait": {"mean": 0.4}, "run_time": {"mean": 0.1}},
        },
        {
            "kind": "breaker",
            "name": "billing",
            "state": {
                "state": "open",
                "calls": 8,
                "failure_rate": 0.75,
                "slow_rate": 0.0,
                "retry_after": 12.0,
                "openings": 2,
                "reason": "6 of 8 calls failed",
            },
            "counters": {},
            "histograms": {},
        },
        {"kind": "registry", "name": "requests", "state": {"open": 2}, "counters": {}, "histograms": {}},
        *(
            {
                "kind": "pool",
                "name": "database",
                "state": {"open": number, "share": 0.123456},
                "counters": {"lent": 9},
                "histograms": {},
            }
            for number in (1, 2)
        ),
    ],
}
FINDINGS: dict[str, Any] = {
    "findings": [
        {
            "rule": rule,
            "severity": severity,
            "summary": f"Something of {rule}",
            "advice": "Do it otherwise.",
            "place": place,
            "subject": None,
            "evidence": {"stacks": {}, "counts": {}, "wall": None, "cpu": None, "error": None},
            "first_seen": "2026-01-01T00:00:00Z",
            "last_seen": "2026-01-01T00:00:00Z",
            "count": 3,
        }
        for rule, severity, place in (("slow-wait", "notice", None), ("loop-blocked", "error", REPORT))
    ]
}


def answers(time: float = 10.0, **state: Any) -> Answers:
    return Answers({**STATE, **state}, FINDINGS, time)
