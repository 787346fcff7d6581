"""Tornado's `tornado.concurrent`."""

from eyewall.loop.concurrent import DummyExecutor as DummyExecutor, FUTURES as FUTURES, Future as Future
from eyewall.loop.concurrent import ReturnValueIgnoredError as ReturnValueIgnoredError
from eyewall.loop.concurrent import chain_future as chain_future, dummy_executor as dummy_executor
from eyewall.loop.concurrent import future_add_done_callback as future_add_done_callback
from eyewall.loop.concurrent import future_set_exc_info as future_set_exc_info
from eyewall.loop.concurrent import (
    future_set_exception_unless_cancelled as future_set_exception_unless_cancelled,
)
from eyewall.loop.concurrent import future_set_result_unless_cancelled as future_set_result_unless_cancelled
from eyewall.loop.concurrent import is_future as is_future, run_on_executor as run_on_executor
