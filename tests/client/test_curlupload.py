"""Content that a producer writes for libcurl, which may begin again while the producer is at it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

pycurl = pytest.importorskip("pycurl", reason="the client on libcurl needs pycurl, an extra")

from eyewall.client.curlupload import CurlUpload  # noqa: E402


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("end", ["in silence", "with a write"])
def test_what_becomes_of_a_run_that_was_superseded_does_not_matter(
    run: Callable[..., None], end: str
) -> None:
    async def main() -> None:
        runs = 0
        failures: list[BaseException] = []

        async def produce(write: Callable[[bytes], Any]) -> None:
            nonlocal runs
            runs += 1
            if runs == 1:
                try:
                    await asyncio.get_running_loop().create_future()
                except asyncio.CancelledError:
                    if end == "with a write":
                        await write(b"too late")
                    return
            await asyncio.sleep(0)
            await write(b"whole")

        upload = CurlUpload(asyncio.get_running_loop(), produce, -1, 1000, lambda: None, failures.append)
        assert upload.read(100) == pycurl.READFUNC_PAUSE
        await turns()
        assert upload.seek(0, 0) == pycurl.SEEKFUNC_OK
        assert upload.read(100) == pycurl.READFUNC_PAUSE
        await turns()
        assert upload.read(100) == b"whole"
        assert upload.read(100) == b""
        assert (runs, failures) == (2, [])

    run(main())
