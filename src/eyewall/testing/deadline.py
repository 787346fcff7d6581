"""How long a test may wait for something."""

from __future__ import annotations

import os

#: Seconds, unless the environment variable ASYNC_TEST_TIMEOUT says otherwise.
DEFAULT_TIMEOUT = 5.0


def get_async_test_timeout() -> float:
    """Returns the seconds that asynchronous tests are given when they name no timeout of their own.

    That is ASYNC_TEST_TIMEOUT of the environment, for slow machines, or 5 where it is missing or no number.
    """
    try:
        return float(os.environ["ASYNC_TEST_TIMEOUT"])
    except (KeyError, ValueError):
        return DEFAULT_TIMEOUT
