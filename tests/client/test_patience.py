"""Requests below a deadline: they take what remains of it, and say so when that was it."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from eyewall.client.errors import FetchDeadlineExceeded
from eyewall.client.request import HTTPTimeoutError
from eyewall.client.simple import SimpleAsyncHTTPClient
from eyewall.guard.deadlines.timeouts import timeout
from eyewall.guard.errors import DeadlineExceeded
from eyewall.web.application import Application
from eyewall.web.handler import RequestHandler
from tests.web.serving import serving


class Never(RequestHandler):
    """Does not answer, or only with the beginning; `came` counts the requests."""

    came = 0

    async def get(self) -> None:
        Never.came += 1
        if self.get_argument("begin", None):
            self.write("begun")
            await self.flush()
        await asyncio.get_running_loop().create_future()


class Calling(RequestHandler):
    REQUEST_TIMEOUT = 0.05

    async def get(self) -> None:
        client = SimpleAsyncHTTPClient(force_instance=True)
        try:
            await client.fetch(self.get_argument("url"), request_timeout=60.0)
        finally:
            client.close()


def kinds() -> list[Any]:
    kinds: list[Any] = [SimpleAsyncHTTPClient]
    try:
        from eyewall.client.curl import CurlAsyncHTTPClient
    except ImportError:
        return kinds
    return [*kinds, CurlAsyncHTTPClient]


@asynccontextmanager
async def never_answering() -> Any:
    Never.came = 0
    async with serving(Application([("/never", Never), ("/calling", Calling)])) as port:
        yield f"http://me:secret@127.0.0.1:{port}/never"


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("own", [0.0, 60.0])
def test_what_remains_is_the_limit(run: Callable[..., None], kind: Any, own: float) -> None:
    async def main() -> None:
        client = kind(force_instance=True)
        async with never_answering() as url:

            async def fetch() -> None:
                # In a task of its own, which nobody cancels but the deadline that it has inherited.
                await client.fetch(f"{url}?token=secret", request_timeout=own, connect_timeout=own)

            async with timeout(0.05):
                task = asyncio.create_task(fetch())
            with pytest.raises(FetchDeadlineExceeded) as caught:
                await task
            error = caught.value
            assert isinstance(error, HTTPTimeoutError | DeadlineExceeded)
            assert (error.code, error.status, error.deadline) == (599, 503, "the timeout of 0.05 s")
            port = url.rpartition(":")[2].partition("/")[0]
            said = f"the timeout of 0.05 s has passed while waiting for GET http://127.0.0.1:{port}/never"
            assert str(error) == said
            assert str(copy.copy(error)) == said
        client.close()

    run(main())


@pytest.mark.parametrize("kind", kinds())
def test_a_timeout_of_its_own_that_is_shorter_stays_one(run: Callable[..., None], kind: Any) -> None:
    async def main() -> None:
        client = kind(force_instance=True)
        async with never_answering() as url, timeout(3600.0):
            with pytest.raises(Exception, match=r"(?i)time") as caught:
                await client.fetch(url, request_timeout=0.05)
            assert not isinstance(caught.value, DeadlineExceeded)
        client.close()

    run(main())


@pytest.mark.parametrize("kind", kinds())
def test_without_time_nothing_is_sent(run: Callable[..., None], kind: Any) -> None:
    async def main() -> None:
        client = kind(force_instance=True)
        async with never_answering() as url:
            async with timeout(0.0):
                future = client.fetch(url)
            with pytest.raises(FetchDeadlineExceeded):
                await future
            assert Never.came == 0
        client.close()

    run(main())


def test_waiting_for_a_place_counts(run: Callable[..., None]) -> None:
    async def main() -> None:
        client = SimpleAsyncHTTPClient(force_instance=True, max_clients=1)
        async with never_answering() as url:
            first = client.fetch(url, request_timeout=60.0)
            async with timeout(0.05):
                second = client.fetch(url, request_timeout=60.0)
            with pytest.raises(FetchDeadlineExceeded):
                await second
            assert len(client.queue) == 0
            first.cancel()
        client.close()

    run(main())


def test_a_stream_below_a_deadline(run: Callable[..., None]) -> None:
    async def main() -> None:
        client = SimpleAsyncHTTPClient(force_instance=True)

        async def read(url: str) -> None:
            async with client.stream(url, request_timeout=60.0) as response:
                async for _ in response:
                    pass

        async with never_answering() as url:
            for which in (url, f"{url}?begin=yes"):
                async with timeout(0.2):
                    task = asyncio.create_task(read(which))
                with pytest.raises(FetchDeadlineExceeded):
                    await task
        client.close()

    run(main())


def test_the_deadline_of_a_request_is_that_of_the_requests_it_makes(run: Callable[..., None]) -> None:
    async def main() -> None:
        async with never_answering() as url:
            client = SimpleAsyncHTTPClient(force_instance=True)
            calling = url.replace("/never", "/calling")
            response = await client.fetch(f"{calling}?url={url}", raise_error=False)
            assert response.code == 503
            client.close()

    run(main())
