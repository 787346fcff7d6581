"""EW102: tasks that nobody keeps."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from eyewall.doctor.checking.problem import Problem, RuleInfo
from eyewall.doctor.checking.scopes import Function
from eyewall.doctor.checking.view import View, problem
from eyewall.doctor.finding import Severity

_MAKERS = frozenset(
    {
        "asyncio.create_task",
        "asyncio.ensure_future",
        "asyncio.async",
        "asyncio.AbstractEventLoop.create_task",
    }
)
_LOOPS = ("loop", "_loop", "event_loop", "io_loop", "asyncio_loop")


class DroppedTask:
    """The result of `create_task` or `ensure_future`, dropped."""

    about = RuleInfo(
        "EW102",
        "task-not-kept",
        Severity.WARNING,
        "The loop keeps only weak references: a task that nobody keeps may be collected while it runs, and whether it "
        "has failed is seen by nobody.",
        "Keep the task and look at its result: in a TaskGroup, or in a set with task.add_done_callback(tasks.discard).",
        ("RUF006", "unused-awaitable"),
    )

    def check(self, view: View) -> Iterator[Problem]:
        """Looks at statements that are nothing but such a call, and at names that nobody reads."""
        for function in view.program.functions:
            for call in function.calls:
                if _makes_task(view, call, function):
                    why = self._dropped(call, function)
                    if why:
                        yield problem(
                            self, function, call, f"The task that is made here is kept by nobody: {why}"
                        )

    def _dropped(self, call: ast.Call, function: Function) -> str:
        for statement in function.expressions:
            if statement.value is call:
                return "the result of the call is dropped"
        for assignment in function.assignments:
            if assignment.value is call and len(assignment.targets) == 1:
                target = assignment.targets[0]
                if (
                    isinstance(target, ast.Name)
                    and function.node is not None
                    and not is_read(target.id, function)
                ):
                    return f"{target.id} is never read"
        return ""


def _makes_task(view: View, call: ast.Call, function: Function) -> bool:
    target = view.program.callee(call, function)
    if isinstance(target, str):
        return target in _MAKERS
    if target is not None or not isinstance(call.func, ast.Attribute) or call.func.attr != "create_task":
        return False
    # `loop` is mostly handed in, and nobody says what it is.
    owner = call.func.value
    name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
    return name in _LOOPS


def is_read(name: str, function: Function) -> bool:
    """Whether something in `function`, or elsewhere, reads the variable `name`."""
    if name in function.outside:
        return True
    assert function.node is not None
    return any(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
        for node in ast.walk(function.node)
    )
