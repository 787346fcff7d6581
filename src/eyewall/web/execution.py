"""The parts of a request that wait: the coroutines that its task runs.

They are not compiled, so that whoever looks at a waiting task sees them and what they wait for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Protocol

from eyewall.base.loggers import app_log
from eyewall.net.errors import StreamClosedError

if TYPE_CHECKING:
    from eyewall.web.overtime import Timed

    class Run(Timed, Protocol):
        """What `web.dispatch.Dispatch` offers to the coroutines below."""

        rate_limits: Any
        ready: asyncio.Future[None] | None
        body_done: asyncio.Future[None] | None

        def check_rates(self) -> Awaitable[None] | None: ...
        def check(self) -> None: ...
        def call_verb(self) -> Any: ...
        def completed(self) -> None: ...
        def over(self) -> None: ...


async def complete(run: Run, result: Awaitable[Any]) -> None:
    """Waits for what a verb returned, and finishes."""
    try:
        await result
        run.completed()
    except asyncio.CancelledError as error:
        _cancelled(run, error)
    except Exception as error:  # noqa: BLE001 - whatever a handler raises becomes its response
        run.fail(_outcome(run, error))
    finally:
        run.over()


async def complete_rates(run: Run, waiting: Awaitable[None]) -> None:
    """Waits for what rate limits say, and does the rest."""
    try:
        await waiting
        _check(run)
        result = run.handler.prepare()
        if result is not None:
            await result
        await _verb(run)
    except asyncio.CancelledError as error:
        _cancelled(run, error)
    except Exception as error:  # noqa: BLE001 - as above
        run.fail(_outcome(run, error))
    finally:
        run.over()


async def complete_prepare(run: Run, result: Awaitable[Any]) -> None:
    """Waits for `prepare`, and does the rest."""
    try:
        await result
        await _verb(run)
    except asyncio.CancelledError as error:
        _cancelled(run, error)
    except Exception as error:  # noqa: BLE001 - as above
        run.fail(_outcome(run, error))
    finally:
        run.over()


async def stream(run: Run) -> None:
    """The whole of a request whose content is streamed: `prepare`, then the content, then the verb."""
    ready, body_done = run.ready, run.body_done
    try:
        if run.rate_limits is not None:
            waiting = run.check_rates()
            if waiting is not None:
                await waiting
        _check(run)
        result = run.handler.prepare()
        if result is not None:
            await result
        if ready is not None and not ready.done():
            ready.set_result(None)
        if run.handler._finished:
            return
        if body_done is not None:
            try:
                await body_done
            except StreamClosedError:
                # The client left in the middle; `on_connection_close` was told.
                return
        if not run.handler._finished:
            await _verb(run)
    except asyncio.CancelledError as error:
        _cancelled(run, error)
    except Exception as error:  # noqa: BLE001 - as above
        run.fail(_outcome(run, error))
    finally:
        if ready is not None and not ready.done():
            ready.set_result(None)
        run.over()


def _check(run: Run) -> None:
    """Checks the request, and has its deadline watched where the task has waited before it had one."""
    run.check()
    if run.deadline is not None and run.task is not None and run.alarm is None:
        from eyewall.web.overtime import watch

        watch(run, asyncio.get_running_loop())


async def _verb(run: Run) -> None:
    handler = run.handler
    if run.overdue is not None:
        # What came before the verb has swallowed the cancellation.
        from eyewall.web.overtime import returned

        returned(run)
    if handler._finished:
        return
    result = run.call_verb()
    if result is not None:
        await result
    run.completed()


def _outcome(run: Run, error: BaseException) -> BaseException:
    """Returns what answers a request that raised `error`."""
    if run.overdue is None:
        return error
    from eyewall.web.overtime import outcome

    return outcome(run, error)


def _cancelled(run: Run, error: asyncio.CancelledError) -> None:
    """A cancellation of the request's own task is passed on, after an answer; another one is an error like others."""
    task = asyncio.current_task()
    if task is None or not task.cancelling():
        run.fail(error)
        return
    handler = run.handler
    try:
        if not handler._finished:
            if run.overdue is not None:
                run.fail(_outcome(run, error))
            elif handler._headers_written:
                handler._give_up()
            else:
                handler.send_error(500)
    except Exception:  # noqa: BLE001 - logged; the task must end cancelled whatever an application does
        app_log.error("Uncaught exception while a cancelled request was answered", exc_info=True)
    raise error
