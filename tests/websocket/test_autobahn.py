"""The Autobahn suite, which `kosoku` runs, against both roles of our engine and driver.

By default: the core cases (247), those of limits (54) and a part of the compression cases. All 216 of those take
some ten minutes and run with EYEWALL_AUTOBAHN=all, which `make autobahn` sets.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from eyewall.websocket.deflate import DeflateOptions

from ..conftest import LOOP_KINDS, loop_factory
from .peers import LARGE, Collector, Echo, connect, serving

kosoku = pytest.importorskip("kosoku")

SIZES = range(1, 19) if os.environ.get("EYEWALL_AUTOBAHN") == "all" else (1,)
#: In the second list the server wants client_no_context_takeover of a client.
DEFLATE = [f"{group}.{size}" for group in ("12.1", "12.2", "12.3", "12.4", "12.5") for size in SIZES]
DEFLATE += [f"13.{kind}.{size}" for kind in (1, 3, 4, 7) for size in SIZES]
FRESH = [f"13.{kind}.{size}" for kind in (2, 5, 6) for size in SIZES]
#: Cases per group.
GROUPS: dict[str, tuple[list[str], int]] = {
    "core": (["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"], 247),
    "limits": (["9.*"], 54),
    "deflate": (DEFLATE, len(DEFLATE)),
    "deflate-fresh": (FRESH, len(FRESH)),
}
TIMEOUT = 1800 if os.environ.get("EYEWALL_AUTOBAHN") == "all" else 120

every = pytest.mark.parametrize("group", GROUPS)
pytestmark = [
    pytest.mark.timeout(TIMEOUT),
    # The suite leaves the files open that it sends from.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*FileIO.*:pytest.PytestUnraisableExceptionWarning"),
]


def check(results: list[Any], group: str) -> None:
    failed = [
        f"{result.case_id}: {result.behavior.value}, {result.result} {result.result_close}"
        for result in results
        if not result.passed or result.behavior.value not in ("OK", "INFORMATIONAL")
    ]
    assert failed == []
    assert len(results) == GROUPS[group][1]


def run(loop_kind: str, main: Any) -> None:
    with asyncio.Runner(loop_factory=loop_factory(loop_kind)) as runner:
        runner.run(main())


@every
@pytest.mark.parametrize("loop_kind", LOOP_KINDS[-1:])
def test_server(loop_kind: str, group: str) -> None:
    async def main() -> None:
        async with serving(Echo, LARGE, DeflateOptions()) as port:
            try:
                results = await kosoku.run_fuzzingclient(
                    f"ws://127.0.0.1:{port}", cases=GROUPS[group][0], concurrency=4
                )
            except kosoku.FailureError as error:
                results = error.results
        check(results, group)

    run(loop_kind, main)


@every
@pytest.mark.parametrize("loop_kind", LOOP_KINDS[-1:])
def test_client(loop_kind: str, group: str) -> None:
    options = DeflateOptions(client_no_context_takeover=group == "deflate-fresh")

    async def main() -> None:
        server = kosoku.run_fuzzingserver(GROUPS[group][0], port=0)
        async with server:
            counter = Collector()
            await connect(server.port, counter, "/getCaseCount")
            count = int(await counter.messages.get())
            await counter.closed
            for case in range(1, count + 1):
                echo = Echo()
                await connect(server.port, echo, f"/runCase?case={case}&agent=eyewall", LARGE, options)
                await echo.closed
                assert echo.errors == []
            report = Collector()
            await connect(server.port, report, "/updateReports?agent=eyewall")
            await report.closed
            try:
                results = await server.get_result()
            except kosoku.FailureError as error:
                results = error.results
        check(results, group)

    run(loop_kind, main)
