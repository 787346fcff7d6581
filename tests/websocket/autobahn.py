"""The Autobahn suite, which `kosoku` runs, against both roles of our engine and driver.

python -m tests.websocket.autobahn [server] [client]       every case: 247 core, 54 of limits, 216 of deflate
"""

from __future__ import annotations

import asyncio
import sys
import time
import warnings
from collections.abc import Iterable
from typing import Any

import kosoku

from eyewall.websocket.deflate import DeflateOptions

from ..conftest import LOOP_KINDS, loop_factory
from .peers import LARGE, Collector, Echo, connect, serving

#: Cases that pass, but not better than that, because the standard leaves open what is right.
OPEN_QUESTIONS = ("7.1.6", "7.13.1", "7.13.2")


def groups(sizes: Iterable[int] = range(1, 19)) -> dict[str, tuple[list[str], int]]:
    """Returns patterns of cases, and how many cases they select. `sizes`: which messages in each kind of deflate."""
    sizes = list(sizes)
    plain = [f"12.{data}.{size}" for data in range(1, 6) for size in sizes]
    plain += [f"13.{kind}.{size}" for kind in (1, 3, 4, 7) for size in sizes]
    # Here the server wants client_no_context_takeover, which the client must have offered.
    fresh = [f"13.{kind}.{size}" for kind in (2, 5, 6) for size in sizes]
    return {
        "core": (["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"], 247),
        "limits": (["9.*"], 54),
        "deflate": (plain, len(plain)),
        "deflate-fresh": (fresh, len(fresh)),
    }


async def try_server(cases: list[str]) -> list[Any]:
    """Runs cases against our server role."""
    async with serving(Echo, LARGE, DeflateOptions()) as port:
        try:
            return await kosoku.run_fuzzingclient(f"ws://127.0.0.1:{port}", cases=cases, concurrency=4)
        except kosoku.FailureError as error:
            return error.results


async def try_client(cases: list[str], fresh: bool) -> list[Any]:
    """Runs cases against our client role, which offers client_no_context_takeover if `fresh`."""
    options = DeflateOptions(client_no_context_takeover=fresh)
    async with kosoku.run_fuzzingserver(cases, port=0) as server:
        counter = Collector()
        await connect(server.port, counter, "/getCaseCount")
        count = int(await counter.messages.get())
        await counter.closed
        for case in range(1, count + 1):
            echo = Echo()
            await connect(server.port, echo, f"/runCase?case={case}&agent=eyewall", LARGE, options)
            await echo.closed
            if echo.errors:
                raise AssertionError(f"case {case} made our client fail: {echo.errors}")
        report = Collector()
        await connect(server.port, report, "/updateReports?agent=eyewall")
        await report.closed
        try:
            return await server.get_result()  # type: ignore[no-any-return]
        except kosoku.FailureError as error:
            return error.results


def run(role: str, group: str, cases: list[str]) -> list[Any]:
    """Runs cases on the loop that Eyewall takes by default."""
    with asyncio.Runner(loop_factory=loop_factory(LOOP_KINDS[-1])) as runner:
        if role == "server":
            return runner.run(try_server(cases))
        return runner.run(try_client(cases, group == "deflate-fresh"))


def failures(results: list[Any], count: int) -> list[str]:
    """Returns what is wrong, a line each."""
    found = []
    for result in results:
        label = result.behavior.value
        if not result.passed or (label != "OK" and result.case_id not in OPEN_QUESTIONS):
            found.append(f"{result.case_id}: {label}. {result.result} {result.result_close}")
    if not found and len(results) != count:
        found.append(f"{len(results)} cases ran instead of {count}")
    return found


def main(roles: list[str]) -> int:
    # kosoku leaves the files open that it sends from.
    warnings.simplefilter("ignore", ResourceWarning)
    wrong = 0
    for role in roles or ["server", "client"]:
        for group, (cases, count) in groups().items():
            began = time.monotonic()
            found = failures(run(role, group, cases), count)
            wrong += len(found)
            print(
                f"{role} {group}: {count - len(found)} of {count} in {time.monotonic() - began:.0f} s",
                flush=True,
            )
            for line in found:
                print(f"  {line}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
