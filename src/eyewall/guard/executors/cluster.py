"""A bounded executor over a Dask cluster: for work that is too much for the processes of one machine.

Needs the package `distributed` (`pip install eyewall[dask]`) here and Eyewall on the cluster's workers, which call what
carries the request's id and the deadline.

One thread of ours talks to the cluster: it connects when the first job comes, which may take seconds, and submits.
Dask calls back when a job is over. How many jobs the cluster gets at once is bounded like everything else.

When a worker of the cluster dies, Dask gives its jobs to others, as often as `distributed.scheduler.allowed-failures`
says, and only then they fail, with `WorkerLost`. What must not be done twice needs 0 there.
"""

from __future__ import annotations

import atexit
import logging
import sys
from collections.abc import Callable
from concurrent.futures import CancelledError
from functools import partial
from importlib import import_module
from queue import SimpleQueue
from threading import Thread, current_thread
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from eyewall.base.loggers import access_log, app_log, gen_log
from eyewall.guard.executors import lifetime as lifetime
from eyewall.guard.executors.bounded import BoundedExecutor
from eyewall.guard.executors.carried import carried
from eyewall.guard.executors.errors import WorkerLost
from eyewall.guard.executors.job import Job

if TYPE_CHECKING:
    from distributed import Client, Future
    from distributed.deploy.cluster import Cluster

#: Seconds that connecting to a scheduler may take.
CONNECT = 10.0
#: What a cluster of our own is, besides the number of its workers. Dask's dashboard is on a port that is free, for this
#: machine.
OWN: dict[str, Any] = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}


def load_distributed() -> ModuleType:
    """Returns the module `distributed`. Raises ImportError where it is not installed.

    When it is loaded it takes over the loggers of Tornado, on which it is built, and has them say next to nothing. They
    are ours as well, so they get back what they had.
    """
    loaded = sys.modules.get("distributed")
    if loaded is not None:
        return loaded
    loggers = [logging.getLogger("tornado"), access_log, app_log, gen_log]
    before = [(each.level, each.propagate, each.handlers[:]) for each in loggers]
    try:
        return import_module("distributed")
    except ImportError as error:
        raise ImportError(f"an executor on dask needs eyewall[dask]: {error}") from error
    finally:
        for logger, (level, propagate, handlers) in zip(loggers, before, strict=True):
            logger.setLevel(level)
            logger.propagate = propagate
            logger.handlers[:] = handlers


class DaskExecutor(BoundedExecutor):
    """Runs jobs on a Dask cluster; see `BoundedExecutor`, and the head of this file.

    `cluster` is the address of a scheduler, or an object of `distributed`: a cluster, which stays its owner's,
    or a client. None starts a `LocalCluster` of processes on this machine, with as many threads as there are
    `workers`, which ends with the executor. `name` and `settings` as in `BoundedExecutor`. `workers` is how
    many jobs the cluster has at once.
    """

    medium = "dask"

    def __init__(self, name: str, *, cluster: str | Cluster | Client | None = None, **settings: Any) -> None:
        self._where = cluster
        super().__init__(name, **settings)

    def _begin(self) -> None:
        # Now, and not with the first job, so that it is known when it is missing.
        self._distributed: Any = load_distributed()
        # Once more, after Dask, which at the end of the program closes its clusters under the jobs that run: what is
        # registered later is called earlier.
        atexit.unregister(lifetime.at_exit)
        atexit.register(lifetime.at_exit)
        super()._begin()
        self._orders: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._talker: Thread | None = None
        self._client: Client | None = None
        self._own: Cluster | None = None
        self._remote: dict[Job, Future[Any]] = {}

    def _launch(self, job: Job) -> None:
        with self._lock:
            first = self._talker is None
            if first:
                self._talker = Thread(target=self._talk, name=f"eyewall-{self.name}", daemon=True)
        if first:
            assert self._talker is not None
            self._talker.start()
        self._orders.put(partial(self._hand_over, job))

    def _dismiss(self) -> None:
        self._orders.put(None)

    def _give_up(self) -> None:
        self._orders.put(self._cancel)

    def _talk(self) -> None:
        """The life of the thread: does what it is told, then closes what it has opened."""
        lifetime.serving.add(current_thread())
        try:
            while (order := self._orders.get()) is not None:
                order()
                del order
            self._close_all()
        finally:
            lifetime.serving.discard(current_thread())

    def _close_all(self) -> None:
        client, self._client = self._client, None
        for each in (client if client is not self._where else None, self._own):
            if each is not None:
                try:
                    each.close()
                except Exception:  # noqa: BLE001 - it is not needed any more; the other one is closed as well
                    app_log.warning("Executor %r could not close %r", self.name, each, exc_info=True)

    def _hand_over(self, job: Job) -> None:
        try:
            if self._client is None:
                self._client = self._connect()
            self._submit(job)
        except Exception as error:  # noqa: BLE001 - the job's: no cluster, or one that is gone
            self._start(self._over(job, None, error))
        finally:
            del job

    def _cancel(self) -> None:
        for future in list(self._remote.values()):
            future.cancel()  # type: ignore[no-untyped-call]

    def _connect(self) -> Client:
        where: Any = self._where
        if isinstance(where, self._distributed.Client):
            return cast("Client", where)
        if where is None:
            self._own = where = self._distributed.LocalCluster(n_workers=self._jobs.workers, **OWN)
        return cast("Client", self._distributed.Client(where, set_as_default=False, timeout=CONNECT))

    def _submit(self, job: Job) -> None:
        assert self._client is not None
        deadline = job.deadline
        left, whose = (None, "") if deadline is None else (deadline.remaining(), deadline.whose)
        future = self._client.submit(
            carried, job.func, job.args, job.kwargs, job.request, left, whose, pure=False
        )
        self._remote[job] = future
        future.add_done_callback(partial(self._answered, job))  # type: ignore[no-untyped-call]

    def _answered(self, job: Job, future: Future[Any]) -> None:
        """The cluster is done with a job. Called in a thread of Dask's."""
        result: Any = None
        error: BaseException | None = None
        try:
            result = future.result()
        except self._distributed.scheduler.KilledWorker as lost:
            error = WorkerLost(
                f"workers of the cluster of the executor {self.name!r} died while they ran {job.function}: {lost}",
                function=job.function,
            )
        except (CancelledError, self._distributed.CancelledError) as lost:
            error = WorkerLost(
                f"the cluster of the executor {self.name!r} has lost {job.function}: {lost}",
                function=job.function,
            )
        except BaseException as raised:  # noqa: BLE001 - it is raised where the result is asked for
            error = raised
        self._remote.pop(job, None)
        try:
            self._start(self._over(job, result, error))
            future.release()  # type: ignore[no-untyped-call]
        finally:
            del job, result, error
