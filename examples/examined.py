"""Tests under the doctor: pytest --eyewall-doctor examples/examined.py"""

import asyncio
import time

import pytest


async def store(what: str) -> None:
    """Stores something, in time."""


def test_forgets() -> None:
    async def main() -> None:
        store("this is lost")  # type: ignore[unused-coroutine]  # the fault

    asyncio.run(main())


@pytest.mark.allow_findings("loop-blocked")
def test_blocks_and_may() -> None:
    async def main() -> None:
        time.sleep(1.0)  # noqa: ASYNC251 - another

    asyncio.run(main())
