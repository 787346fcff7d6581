"""Bounded executors: blocking functions off the loop, in threads, processes or on a Dask cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyewall._face import lazy_face

if TYPE_CHECKING:
    from eyewall.guard.executors.bounded import BoundedExecutor, CloseReport, JobView
    from eyewall.guard.executors.cluster import DaskExecutor
    from eyewall.guard.executors.default import install
    from eyewall.guard.executors.errors import ExecutorClosed, ExecutorFull, JobDropped, WorkerLost
    from eyewall.guard.executors.job import JobFuture
    from eyewall.guard.executors.jobqueue import Full
    from eyewall.guard.executors.processes import ProcessExecutor
    from eyewall.guard.executors.registry import UnknownExecutor, configure, executor
    from eyewall.guard.executors.threads import ThreadExecutor

__all__ = [
    "BoundedExecutor",
    "CloseReport",
    "DaskExecutor",
    "ExecutorClosed",
    "ExecutorFull",
    "Full",
    "JobDropped",
    "JobFuture",
    "JobView",
    "ProcessExecutor",
    "ThreadExecutor",
    "UnknownExecutor",
    "WorkerLost",
    "configure",
    "executor",
    "install",
]

_NAMES = {
    "BoundedExecutor": "bounded",
    "CloseReport": "bounded",
    "DaskExecutor": "cluster",
    "ExecutorClosed": "errors",
    "ExecutorFull": "errors",
    "Full": "jobqueue",
    "JobDropped": "errors",
    "JobFuture": "job",
    "JobView": "bounded",
    "ProcessExecutor": "processes",
    "ThreadExecutor": "threads",
    "UnknownExecutor": "registry",
    "WorkerLost": "errors",
    "configure": "registry",
    "executor": "registry",
    "install": "default",
}

__getattr__, __dir__ = lazy_face(__name__, _NAMES)
