"""A policy that makes loops in every thread, for programs from the time before loops had to be made
explicitly.

asyncio deprecates its policies from Python 3.14 on, so the class is only made when somebody asks for it.
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import Any

from eyewall.loop.policy import default_policy_type

NAME = "AnyThreadEventLoopPolicy"


def make_any_thread_policy() -> type:
    """Makes the class `AnyThreadEventLoopPolicy`, the same one each time."""
    if NAME not in globals():
        base: Any = default_policy_type()

        class AnyThreadEventLoopPolicy(base):  # type: ignore[misc]
            """The stock policy, but `get_event_loop` makes a loop in whichever thread has none.

            Deprecated: `asyncio.run`, or a loop made and set by oneself, do not need it.
            """

            def __init__(self) -> None:
                super().__init__()
                warnings.warn(
                    "AnyThreadEventLoopPolicy is deprecated: a thread that wants a loop makes its own, "
                    "with asyncio.run or asyncio.new_event_loop",
                    DeprecationWarning,
                    stacklevel=2,
                )

            def get_event_loop(self) -> Any:
                # The thread is not the main one, or its loop was taken away: then it has none.
                with suppress(RuntimeError):
                    return super().get_event_loop()
                self.set_event_loop(self.new_event_loop())
                return super().get_event_loop()

        AnyThreadEventLoopPolicy.__qualname__ = NAME
        globals()[NAME] = AnyThreadEventLoopPolicy
    made: type = globals()[NAME]
    return made


def __getattr__(name: str) -> Any:
    if name == NAME:
        return make_any_thread_policy()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
