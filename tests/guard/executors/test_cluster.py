"""A real Dask cluster, over sockets, whose workers are threads of this process."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from eyewall.base.context import request_id
from eyewall.guard.deadlines.deadline import Deadline, _current
from eyewall.guard.executors import cluster as module
from eyewall.guard.executors.cluster import DaskExecutor, load_distributed
from eyewall.guard.executors.errors import WorkerLost
from eyewall.guard.executors.registry import configure, executor
from tests.waiting import until

from . import jobs

PATIENCE = 40.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    distributed = load_distributed()
    # What fails in a job is logged by its worker, and here that is this process.
    logging.getLogger("distributed.worker").setLevel(logging.CRITICAL)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=4, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0"
    ) as made:
        yield made


def test_jobs_run_on_the_cluster(run: Any, cluster: Any) -> None:
    async def main() -> None:
        dask = DaskExecutor("dask", cluster=cluster.scheduler_address, workers=2)
        assert await asyncio.gather(*[dask.run(divmod, number, 3) for number in range(6)]) == [
            divmod(number, 3) for number in range(6)
        ]
        with pytest.raises(ValueError, match="not there"):
            await dask.run(jobs.fail, "not there")
        request_id.set("r-3")
        _current.set(Deadline(30.0, lambda: 20.0, "somebody's deadline"))
        assert await dask.run(jobs.carried) == ("r-3", "somebody's deadline", True)
        _current.set(None)
        assert (await dask.close(PATIENCE)).clean
        counters = dask.counters()
        assert (counters["done"], counters["failed"]) == (7, 1)

    run(main())


def test_the_cluster_gets_no_more_at_once_than_there_are_workers(cluster: Any) -> None:
    go = threading.Event()
    inside = threading.Semaphore(0)
    _shared[id(go)] = (go, inside)
    dask = DaskExecutor("dask", cluster=cluster, workers=2, queue=1, full="reject")
    try:
        futures = [dask.submit(hold, id(go)) for _ in range(2)]
        for _ in futures:
            assert inside.acquire(timeout=PATIENCE)
        queued = dask.submit(int)
        with pytest.raises(Exception, match="'dask' is full"):
            dask.submit(int)
        go.set()
        assert [future.result(PATIENCE) for future in (*futures, queued)] == ["held", "held", 0]
    finally:
        go.set()
        dask.close_within(PATIENCE)


_shared: dict[int, tuple[threading.Event, threading.Semaphore]] = {}


def hold(key: int) -> str:
    go, inside = _shared[key]
    inside.release()
    assert go.wait(PATIENCE)
    return "held"


def test_what_still_runs_at_the_end_is_cancelled(run: Any, cluster: Any) -> None:
    async def main() -> None:
        go = threading.Event()
        inside = threading.Semaphore(0)
        _shared[id(go)] = (go, inside)
        dask = DaskExecutor("dask", cluster=cluster)
        running = asyncio.ensure_future(dask.run(hold, id(go)))
        await asyncio.to_thread(inside.acquire, timeout=PATIENCE)
        report = await dask.close(0.0)
        assert len(report.running) == 1
        with pytest.raises(WorkerLost, match=r"has lost tests.*hold"):
            await running
        go.set()

    run(main())


def test_a_cluster_that_is_not_there(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT", 0.2)

    async def main() -> None:
        dask = DaskExecutor("dask", cluster="tcp://127.0.0.1:9")
        with pytest.raises(OSError, match=r"127\.0\.0\.1:9"):
            await dask.run(int)
        await dask.close(PATIENCE)

    run(main())


def test_a_cluster_of_its_own(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Processes of its own take a loaded machine a minute.
    monkeypatch.setattr(module, "OWN", {**module.OWN, "processes": False})

    async def main() -> None:
        own = DaskExecutor("own", workers=2)
        assert await own.run(divmod, 7, 2) == (3, 1)
        cluster = own._own
        assert cluster is not None
        assert len(cluster.scheduler_info["workers"]) == 2
        assert (await own.close(PATIENCE)).clean
        await until(lambda: cluster.status.name == "closed")

    run(main())


def test_workers_that_were_killed(run: Any, cluster: Any) -> None:
    async def main() -> None:
        dask = DaskExecutor("dask", cluster=cluster)
        # What Dask says in the end of a job whose workers have died.
        with pytest.raises(
            WorkerLost, match=r"workers of the cluster .* died while they ran tests\..*lose"
        ) as told:
            await dask.run(jobs.lose)
        assert told.value.function.endswith("jobs.lose")
        await dask.close(PATIENCE)

    run(main())


def test_loading_dask_leaves_our_loggers_alone() -> None:
    program = (
        "import logging\n"
        "from eyewall.base.loggers import gen_log, app_log\n"
        "logging.basicConfig(level='INFO', format='%(message)s')\n"
        "app_log.setLevel('DEBUG')\n"
        "from eyewall.guard.executors.cluster import load_distributed\n"
        "load_distributed()\n"
        "gen_log.info('general')\n"
        "app_log.debug('application')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stderr == "general\napplication\n"


def test_it_is_chosen_in_the_configuration(cluster: Any) -> None:
    configure("far away", medium="dask", cluster=cluster.scheduler_address, workers=3)
    dask = executor("far away")
    assert isinstance(dask, DaskExecutor)
    assert dask.submit(int, "5").result(PATIENCE) == 5
    dask.close_within(PATIENCE)
