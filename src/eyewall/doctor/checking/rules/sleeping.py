"""EW201: sleeping in the loop's thread."""

from __future__ import annotations

import ast

from eyewall.doctor.checking.problem import RuleInfo
from eyewall.doctor.checking.rules.blockingrule import BlockingRule, is_constant
from eyewall.doctor.checking.scopes import Function
from eyewall.doctor.finding import Severity


class BlockingSleep(BlockingRule):
    """`time.sleep` in code that runs in the loop."""

    about = RuleInfo(
        "EW201",
        "blocking-sleep",
        Severity.ERROR,
        "While the loop's thread sleeps nothing else runs: no other request, no timer, no WebSocket.",
        "Write await asyncio.sleep(...).",
        ("ASYNC251", "ASYNC101"),
    )
    calls = frozenset({"time.sleep", "eventlet.sleep", "gevent.sleep"})

    def blocks(self, call: ast.Call, name: str, function: Function) -> bool:
        """Sleeping for no time only lets other threads run."""
        return not (call.args and is_constant(call.args[0], 0, 0.0))
