"""EW207: waiting for other threads, processes or loops in the loop's thread."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from eyewall.doctor.checking.problem import Problem, RuleInfo
from eyewall.doctor.checking.rules.blockingrule import BlockingRule, argument, is_constant
from eyewall.doctor.checking.scopes import Function
from eyewall.doctor.checking.view import View, problem
from eyewall.doctor.checking.vocabulary import EXECUTORS
from eyewall.doctor.finding import Severity

_QUEUES = (
    "queue.Queue",
    "queue.LifoQueue",
    "queue.PriorityQueue",
    "queue.SimpleQueue",
    "multiprocessing.Queue",
)
_FUTURE = "concurrent.futures.Future"
_POOL = ("map", "starmap", "apply", "join")


class BlockingWait(BlockingRule):
    """`future.result()`, `thread.join()` and the like in code that runs in the loop."""

    about = RuleInfo(
        "EW207",
        "blocking-wait",
        Severity.ERROR,
        "The loop's thread waits for somebody else; if that one needs the loop to go on, for ever.",
        "Await it: asyncio.wrap_future(future), loop.run_in_executor(...), asyncio.to_thread(...), asyncio.Queue, "
        "asyncio.Event.",
        ("ASYNC250",),
    )
    calls = frozenset(
        {
            f"{_FUTURE}.result",
            f"{_FUTURE}.exception",
            "concurrent.futures.wait",
            "concurrent.futures.as_completed",
            *(f"{executor}.shutdown" for executor in EXECUTORS),
            "threading.Thread.join",
            "threading.Timer.join",
            "threading.Event.wait",
            "threading.Barrier.wait",
            *(f"threading.Condition.{name}" for name in ("wait", "wait_for")),
            "multiprocessing.Process.join",
            *(f"multiprocessing.Pool.{name}" for name in _POOL),
            *(f"{queue}.{name}" for queue in _QUEUES for name in ("get", "join")),
            "builtins.input",
            "getpass.getpass",
            "signal.pause",
            "signal.sigwait",
            "asyncio.run",
            "asyncio.AbstractEventLoop.run_until_complete",
            "asyncio.AbstractEventLoop.run_forever",
            "tornado.ioloop.IOLoop.run_sync",
        }
    )
    instead = {
        "asyncio.run": "Await the coroutine: a loop runs already in this thread, and this raises RuntimeError.",
        "asyncio.AbstractEventLoop.run_until_complete": "Await the coroutine: the loop runs already.",
        "tornado.ioloop.IOLoop.run_sync": "Await the coroutine: the loop runs already.",
    }

    def blocks(self, call: ast.Call, name: str, function: Function) -> bool:
        """What is known to be done is not waited for, nor what is only asked for."""
        method = name.rpartition(".")[2]
        if name.startswith(_FUTURE):
            assert isinstance(call.func, ast.Attribute)
            return not _is_done(ast.unparse(call.func.value), function)
        if method == "get":
            return not is_constant(argument(call, "block", 0), False)
        if method == "shutdown":
            return not is_constant(argument(call, "wait", 0), False)
        return not is_constant(argument(call, "timeout", 0), 0, 0.0)

    def check(self, view: View) -> Iterator[Problem]:
        """Returns calls that wait, and executors that a `with` statement waits for at its end."""
        yield from super().check(view)
        for function in view.loop.reasons:
            for statement in function.withs:
                for item in statement.items:
                    kind = view.program.type_of(item.context_expr, function)
                    if kind in EXECUTORS:
                        yield problem(
                            self,
                            function,
                            item.context_expr,
                            f"The end of this with statement waits for all jobs of the executor, and blocks the loop: "
                            f"{function.qualname} is {view.loop.reasons[function]}",
                            "Make one executor for the whole program, or shut it down with "
                            "await asyncio.to_thread(executor.shutdown).",
                        )


def _is_done(future: str, function: Function) -> bool:
    """Whether a future was awaited in some way, or asked whether it is done, or made by hand, in this function."""
    for value in function.values.get(future, ()):
        if isinstance(value, ast.Call) and ast.unparse(value.func).endswith("Future"):
            return True
    for each in function.awaits:
        if any(
            isinstance(node, (ast.Name, ast.Attribute)) and ast.unparse(node) == future
            for node in ast.walk(each)
        ):
            return True
    return any(
        isinstance(call.func, ast.Attribute)
        and call.func.attr == "done"
        and ast.unparse(call.func.value) == future
        for call in function.calls
    )
