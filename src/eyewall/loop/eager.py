"""Tasks whose first step runs at once.

`start_task` is `loop.create_task` without the wait: the coroutine runs up to its first suspension before
the call returns. It does so inside a real `asyncio.Task`, in the task's own context, so that
`current_task()`, `timeout()`, `TaskGroup`, cancellation and context variables see nothing unusual; a
coroutine that never suspends is finished without a trip through the loop.

Python 3.12 and later can do that themselves. On 3.11 a task's constructor hands its first step to
`loop.call_soon`; for the time of the construction an attribute of the loop instance hides that method and
catches the step, which is then run in the context that came with it. Three things make that safe:

* The constructor runs Python code (the registry of all tasks), so anything may happen within it: finalizers,
  signal handlers, a start inside a start. What is caught and is not our step is handed on to the loop, and a
  step of ours that got lost that way has merely been scheduled in the ordinary way.
* A task cannot be entered while another one of the same loop is current: that one is left before the step
  and entered again after it, as 3.12 does.
* A context cannot be entered twice: if the caller passes one that is in use, the step is scheduled.
"""

from __future__ import annotations

import sys
from asyncio import AbstractEventLoop, Handle, Task, _get_running_loop, tasks
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

T = TypeVar("T")

#: The interpreter can start tasks eagerly.
_NATIVE = sys.version_info >= (3, 12)
#: With this a program can have all of its tasks started so.
_EAGER_FACTORY: object = getattr(tasks, "eager_task_factory", None)

_current_tasks: dict[AbstractEventLoop, Task[Any]] = tasks._current_tasks  # type: ignore[attr-defined]
_leave_task: Callable[[AbstractEventLoop, Task[Any]], None] = tasks._leave_task
_enter_task: Callable[[AbstractEventLoop, Task[Any]], None] = tasks._enter_task


def start_task(
    coro: Coroutine[Any, Any, T],
    loop: AbstractEventLoop,
    context: Context | None = None,
    name: str | None = None,
) -> Task[T]:
    """Starts `coro` as a task of `loop` and runs its first step before returning.

    `context` is the task's context, by default a copy of the current one. `name` is the task's name, by default one
    that asyncio makes, which costs more than the rest of the constructor does. The returned task may be done
    already, with a result, an exception or a cancellation, which is the caller's to look at.

    The task is scheduled like any other where it cannot run at once: when `loop` is not running, when it has
    a task factory (which may start eagerly itself), and when `context` is already entered. Raises what
    `loop.create_task` raises: RuntimeError for a closed loop, TypeError for what is not a coroutine.
    SystemExit and KeyboardInterrupt out of the first step are raised here. To be called in the loop's thread
    only.
    """
    # Not get_running_loop, which costs a system call on 3.11. In a thread that is not the loop's, neither
    # this nor create_task may be called.
    if not loop.is_running():
        return loop.create_task(coro, context=context, name=name)
    factory = loop.get_task_factory()
    if factory is not None:
        if factory is _EAGER_FACTORY and context is not None and _is_entered(context):
            # It would enter the context, fail, and leave its task as the current one for ever.
            return Task(coro, loop=loop, context=context, name=name)
        return loop.create_task(coro, context=context, name=name)
    if _NATIVE:
        if context is not None and _is_entered(context):
            return loop.create_task(coro, context=context, name=name)
        task = Task(coro, loop=loop, context=context, name=name, eager_start=True)  # type: ignore[call-arg]
        if task._source_traceback:  # type: ignore[attr-defined]
            _trim(task)
        return task
    try:
        starter = loop._eyewall_starter  # type: ignore[attr-defined]
    except AttributeError:
        starter = Starter(loop)
        try:
            loop._eyewall_starter = starter  # type: ignore[attr-defined]
        except AttributeError:
            # A loop that takes no attributes cannot be made to hand over the step.
            return loop.create_task(coro, context=context, name=name)
    return starter.start(coro, loop, context, name)  # type: ignore[no-any-return]


class Starter:
    """Catches the first steps of new tasks of one loop, on interpreters that cannot start tasks eagerly.

    It stands in the namespace of its loop.
    """

    __slots__ = ("_context", "_hook", "_more", "_namespace", "_step")

    def __init__(self, loop: Any) -> None:
        self._namespace: dict[str, Any] = loop.__dict__
        self._hook = self.catch
        #: The first step that was caught, its context, and what came after it; mostly nothing does.
        self._step: Any = None
        self._context: Context | None = None
        self._more: list[tuple[Any, Context]] = []

    def catch(self, callback: Any, *args: Any, context: Context | None = None) -> Handle | None:
        """Stands for `loop.call_soon` while a task is constructed: keeps first steps, passes on the rest."""
        if type(callback) is _STEP and context is not None:
            if self._step is None:
                self._step = callback
                self._context = context
            else:
                self._more.append((callback, context))
            return None
        loop: Any = _get_running_loop()
        return type(loop).call_soon(loop, callback, *args, context=context)  # type: ignore[no-any-return]

    def start(self, coro: Any, loop: Any, context: Context | None, name: str | None) -> Any:
        """Constructs the task and runs its step. `loop` is the running one and has no task factory."""
        namespace = self._namespace
        # Somebody's own replacement of the method, or the hook of a start that this one interrupts.
        before = namespace.get("call_soon")
        namespace["call_soon"] = self._hook
        try:
            # Without the arguments where there is nothing to say: each costs a tenth of the whole.
            if context is None and name is None:
                task = Task(coro, loop=loop)
            else:
                task = Task(coro, loop=loop, context=context, name=name)
        except BaseException:
            _restore(namespace, before)
            self._hand_on(loop, None)
            raise
        _restore(namespace, before)
        step = self._step
        if step is not None and step.__self__ is task and not self._more:
            context = self._context
            self._step = self._context = None
        else:
            step, context = self._hand_on(loop, task)
            if step is None:
                return task
        if task._source_traceback:  # type: ignore[attr-defined]
            _trim(task)
        outer = _current_tasks.get(loop)
        if outer is None:
            _run(step, context, loop)
        else:
            _leave_task(loop, outer)
            try:
                _run(step, context, loop)
            finally:
                _enter_task(loop, outer)
        return task

    def _hand_on(self, loop: Any, task: Any) -> tuple[Any, Any]:
        """Gives the loop all steps that were caught but that of `task`, which is returned if it is there."""
        caught = [(self._step, self._context), *self._more]
        self._step = self._context = None
        self._more = []
        ours: tuple[Any, Any] = (None, None)
        for step, context in caught:
            if step is None:
                continue
            if step.__self__ is task:
                ours = (step, context)
            else:
                loop.call_soon(step, context=context)
        return ours


def _trim(task: Any) -> None:
    """Lets the record that debug mode keeps of a task's creation end where `start_task` was called."""
    trace = task._source_traceback
    while trace and trace[-1].filename == __file__:
        del trace[-1]


def _restore(namespace: dict[str, Any], before: Any) -> None:
    if before is None:
        namespace.pop("call_soon", None)
    else:
        namespace["call_soon"] = before


def _run(step: Any, context: Any, loop: Any) -> None:
    try:
        context.run(step)
    except RuntimeError:
        # A step raises no RuntimeError (it ends in its task), so this is the context, which is in use.
        loop.call_soon(step, context=context)


def _nothing() -> None:
    pass


def _is_entered(context: Context) -> bool:
    """Whether `context` is being run in, here or in another thread."""
    try:
        context.run(_nothing)
    except RuntimeError:
        return True
    return False


def _step_type() -> type:
    """Returns the type of the callable that a new task hands to its loop as its first step."""

    class Recorder:
        """As much of a loop as the constructor and a step that does not suspend need."""

        step: Any = None

        def get_debug(self) -> bool:
            return False

        def call_soon(self, callback: Any, *, context: Context) -> None:
            self.step = callback

    async def nothing() -> None:
        pass

    recorder = Recorder()
    Task(nothing(), loop=recorder)  # type: ignore[arg-type]
    recorder.step()
    return type(recorder.step)


_STEP: type | None = None if _NATIVE else _step_type()
