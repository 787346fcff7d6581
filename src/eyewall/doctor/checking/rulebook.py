"""All rules there are, and how some of them are chosen by id, beginning of an id, or name."""

from __future__ import annotations

from collections.abc import Sequence

from eyewall.doctor.checking import sources
from eyewall.doctor.checking.problem import RuleInfo
from eyewall.doctor.checking.rules.blockingrule import BlockingRule
from eyewall.doctor.checking.rules.busywaiting import BusyWait
from eyewall.doctor.checking.rules.cancellation import SwallowedCancellation
from eyewall.doctor.checking.rules.databases import BlockingDatabase
from eyewall.doctor.checking.rules.droppedfutures import DroppedFuture
from eyewall.doctor.checking.rules.droppedtasks import DroppedTask
from eyewall.doctor.checking.rules.executors import ExecutorPerCall, UnboundedExecutor
from eyewall.doctor.checking.rules.files import BlockingFile
from eyewall.doctor.checking.rules.heldlocks import LockAcrossAwait
from eyewall.doctor.checking.rules.http import BlockingHttp
from eyewall.doctor.checking.rules.sleeping import BlockingSleep
from eyewall.doctor.checking.rules.sockets import BlockingSocket
from eyewall.doctor.checking.rules.subprocesses import BlockingSubprocess
from eyewall.doctor.checking.rules.swallowedtimeouts import SwallowedTimeout
from eyewall.doctor.checking.rules.timeouts import NoTimeout
from eyewall.doctor.checking.rules.unawaited import NeverAwaited
from eyewall.doctor.checking.rules.unusedawaitables import UnusedAwaitable
from eyewall.doctor.checking.rules.waiting import BlockingWait
from eyewall.doctor.checking.rules.websockets import WebSocketKept
from eyewall.doctor.checking.view import Rule


class UnknownRule(ValueError):
    """Somebody names a rule that does not exist."""


def all_rules() -> tuple[Rule, ...]:
    """Returns a new object of each rule, by id."""
    return (
        NeverAwaited(),
        DroppedTask(),
        DroppedFuture(),
        UnusedAwaitable(),
        BlockingSleep(),
        BlockingHttp(),
        BlockingSubprocess(),
        BlockingDatabase(),
        BlockingFile(),
        BlockingSocket(),
        BlockingWait(),
        LockAcrossAwait(),
        BusyWait(),
        UnboundedExecutor(),
        ExecutorPerCall(),
        NoTimeout(),
        WebSocketKept(),
        SwallowedCancellation(),
        SwallowedTimeout(),
    )


def blocking(rules: Sequence[Rule]) -> list[BlockingRule]:
    """Returns those that are tables of calls that block."""
    return [each for each in rules if isinstance(each, BlockingRule)]


#: Every rule as people know it, also those of files that can't be checked.
BOOK: tuple[RuleInfo, ...] = (*sources.RULES, *(rule.about for rule in all_rules()))
#: By the ids and error codes of other tools.
FOREIGN = {code: rule for rule in reversed(BOOK) for code in rule.also}


def chosen(select: Sequence[str], ignore: Sequence[str]) -> frozenset[str]:
    """Returns the ids of the rules that `select` names, all where it is empty, without those that `ignore` names.

    Raises UnknownRule.
    """
    wanted = {rule.id for rule in BOOK} if not select else named(select)
    return frozenset(wanted - named(ignore))


def named(words: Sequence[str]) -> set[str]:
    """Returns the ids that `words` name: ids, beginnings of ids, names, or "all". Raises UnknownRule."""
    found: set[str] = set()
    for word in words:
        fitting = {
            rule.id
            for rule in BOOK
            if word.lower() in (rule.name, "all")
            or (word.upper().startswith("EW") and rule.id.startswith(word.upper()))
        }
        if not fitting:
            raise UnknownRule(f"there is no rule {word!r}")
        found |= fitting
    return found
