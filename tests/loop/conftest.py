from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.conftest import loop_factory


@pytest.fixture
def new_loop(event_loop_kind: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Makes a loop of each kind."""
    return loop_factory(event_loop_kind)
