"""EW208: a lock of threads, held across an await."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from eyewall.doctor.checking.problem import Problem, RuleInfo
from eyewall.doctor.checking.view import View, problem
from eyewall.doctor.checking.vocabulary import LOCKS
from eyewall.doctor.finding import Severity


class LockAcrossAwait:
    """`with threading.Lock():` around an await."""

    about = RuleInfo(
        "EW208",
        "lock-across-await",
        Severity.ERROR,
        "Another coroutine that wants the lock meanwhile blocks the loop, and then the one that holds it never goes "
        "on: a deadlock.",
        "Use asyncio.Lock with async with, or let go of the lock before the await.",
    )

    def check(self, view: View) -> Iterator[Problem]:
        """Looks into the with statements of coroutines."""
        for function in view.coroutines():
            for statement in function.withs:
                inside = {id(node) for each in statement.body for node in ast.walk(each)}
                waits = next((each for each in function.awaits if id(each) in inside), None)
                if waits is None:
                    continue
                for item in statement.items:
                    if view.program.type_of(item.context_expr, function) in LOCKS:
                        yield problem(
                            self,
                            function,
                            item.context_expr,
                            f"{function.qualname} holds a lock of threads while it awaits in line {waits.lineno}",
                        )
