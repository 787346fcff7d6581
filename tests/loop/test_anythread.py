from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from eyewall.loop import anythread
from eyewall.loop.policy import default_policy_type

# From 3.14 on, asyncio warns of every policy that is set.
pytestmark = pytest.mark.filterwarnings("ignore:.*slated for removal in Python 3.16:DeprecationWarning")


@pytest.fixture
def policy():
    with pytest.warns(DeprecationWarning, match="AnyThreadEventLoopPolicy is deprecated"):
        made = anythread.AnyThreadEventLoopPolicy()
    asyncio.set_event_loop_policy(made)
    yield made
    asyncio.set_event_loop_policy(None)


def test_makes_loops_in_any_thread(policy):
    def work():
        loop = asyncio.get_event_loop()
        assert asyncio.get_event_loop() is loop
        asyncio.set_event_loop(None)
        loop.close()
        return loop

    with ThreadPoolExecutor(1) as pool:
        assert isinstance(pool.submit(work).result(), asyncio.AbstractEventLoop)


def test_stock_policy_does_not():
    with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="no current event loop"):
        pool.submit(asyncio.get_event_loop).result()


def test_is_one_class():
    assert anythread.AnyThreadEventLoopPolicy is anythread.AnyThreadEventLoopPolicy
    assert anythread.AnyThreadEventLoopPolicy.__name__ == "AnyThreadEventLoopPolicy"
    assert issubclass(anythread.AnyThreadEventLoopPolicy, default_policy_type())
    with pytest.raises(AttributeError, match="no attribute 'Other'"):
        anythread.Other  # noqa: B018
