"""EW203: waiting for a child process in the loop's thread."""

from __future__ import annotations

import ast

from eyewall.doctor.checking.problem import RuleInfo
from eyewall.doctor.checking.rules.blockingrule import BlockingRule, argument, is_constant
from eyewall.doctor.checking.scopes import Function
from eyewall.doctor.finding import Severity


class BlockingSubprocess(BlockingRule):
    """`subprocess.run` and the like in code that runs in the loop."""

    about = RuleInfo(
        "EW203",
        "blocking-subprocess",
        Severity.ERROR,
        "The loop's thread waits until another program has ended.",
        "Write process = await asyncio.create_subprocess_exec(...) and await process.communicate().",
        ("ASYNC220", "ASYNC221", "ASYNC222"),
    )
    calls = frozenset(
        {
            *(
                f"subprocess.{name}"
                for name in ("run", "call", "check_call", "check_output", "getoutput", "getstatusoutput")
            ),
            "subprocess.Popen.wait",
            "subprocess.Popen.communicate",
            "os.system",
            "os.wait",
            "os.waitpid",
            "os.spawnl",
            "os.spawnv",
        }
    )

    def blocks(self, call: ast.Call, name: str, function: Function) -> bool:
        """Asking whether a child has ended is not waiting for it."""
        if name == "os.waitpid":
            return is_constant(argument(call, "options", 1), 0)
        return not (name == "subprocess.Popen.wait" and is_constant(argument(call, "timeout", 0), 0))
