"""Testing: Tornado's test cases, a clock that tests turn, and connections in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyewall._face import lazy_face

if TYPE_CHECKING:
    from eyewall.testing.asynccase import AsyncTestCase, setup_with_context_manager
    from eyewall.testing.deadline import get_async_test_timeout
    from eyewall.testing.expectlog import ExpectLog, MissingLogMessage
    from eyewall.testing.fakeclock import FakeClockLoop, NothingHappens, run_with_fake_clock
    from eyewall.testing.gentest import gen_test
    from eyewall.testing.httpcase import AsyncHTTPSTestCase, AsyncHTTPTestCase
    from eyewall.testing.memory import MemoryTransport, connect_in_memory
    from eyewall.testing.ports import bind_unused_port
    from eyewall.testing.program import main

__all__ = [
    "AsyncHTTPSTestCase",
    "AsyncHTTPTestCase",
    "AsyncTestCase",
    "ExpectLog",
    "FakeClockLoop",
    "MemoryTransport",
    "MissingLogMessage",
    "NothingHappens",
    "bind_unused_port",
    "connect_in_memory",
    "gen_test",
    "get_async_test_timeout",
    "main",
    "run_with_fake_clock",
    "setup_with_context_manager",
]

_NAMES = {
    "AsyncHTTPSTestCase": "httpcase",
    "AsyncHTTPTestCase": "httpcase",
    "AsyncTestCase": "asynccase",
    "ExpectLog": "expectlog",
    "FakeClockLoop": "fakeclock",
    "MemoryTransport": "memory",
    "MissingLogMessage": "expectlog",
    "NothingHappens": "fakeclock",
    "bind_unused_port": "ports",
    "connect_in_memory": "memory",
    "gen_test": "gentest",
    "get_async_test_timeout": "deadline",
    "main": "program",
    "run_with_fake_clock": "fakeclock",
    "setup_with_context_manager": "asynccase",
}

__getattr__, __dir__ = lazy_face(__name__, _NAMES)
