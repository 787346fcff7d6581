"""What keeps a program within its bounds: limits by name, deadlines, admission, pools, breakers, log throttles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyewall._face import lazy_face

if TYPE_CHECKING:
    from eyewall.guard.admission import ConnectionLimit
    from eyewall.guard.backoff import Backoff
    from eyewall.guard.breaker import CircuitBreaker, CircuitOpen
    from eyewall.guard.breakerengine import BreakerState, Outcome
    from eyewall.guard.breakershare import SharedBreakers
    from eyewall.guard.bulkhead import Bulkhead, BulkheadFull, BulkheadTimeout
    from eyewall.guard.errors import Overloaded
    from eyewall.guard.histogram import Histogram
    from eyewall.guard.inventory import Inventory, Item, inventory
    from eyewall.guard.policy import CallTimeout, Policy
    from eyewall.guard.pool import PoolClosed, PoolFull, PoolTimeout, PoolUnavailable, ResourcePool
    from eyewall.guard.poollease import Holder, Lease
    from eyewall.guard.profile import NATIVE, TORNADO, Profile, activate, active, override, prefer
    from eyewall.guard.retry import Retry, RetryBudget
    from eyewall.guard.throttle import LogThrottle
    from eyewall.guard.wheel import DeadlineWheel

__all__ = [
    "NATIVE",
    "TORNADO",
    "Backoff",
    "BreakerState",
    "Bulkhead",
    "BulkheadFull",
    "BulkheadTimeout",
    "CallTimeout",
    "CircuitBreaker",
    "CircuitOpen",
    "ConnectionLimit",
    "DeadlineWheel",
    "Histogram",
    "Holder",
    "Inventory",
    "Item",
    "Lease",
    "LogThrottle",
    "Outcome",
    "Overloaded",
    "Policy",
    "PoolClosed",
    "PoolFull",
    "PoolTimeout",
    "PoolUnavailable",
    "Profile",
    "ResourcePool",
    "Retry",
    "RetryBudget",
    "SharedBreakers",
    "activate",
    "active",
    "inventory",
    "override",
    "prefer",
]

_NAMES = {
    "Backoff": "backoff",
    "BreakerState": "breakerengine",
    "Bulkhead": "bulkhead",
    "BulkheadFull": "bulkhead",
    "BulkheadTimeout": "bulkhead",
    "CallTimeout": "policy",
    "CircuitBreaker": "breaker",
    "CircuitOpen": "breaker",
    "ConnectionLimit": "admission",
    "DeadlineWheel": "wheel",
    "Histogram": "histogram",
    "Holder": "poollease",
    "Inventory": "inventory",
    "Item": "inventory",
    "Lease": "poollease",
    "LogThrottle": "throttle",
    "NATIVE": "profile",
    "Outcome": "breakerengine",
    "Overloaded": "errors",
    "Policy": "policy",
    "PoolClosed": "pool",
    "PoolFull": "pool",
    "PoolTimeout": "pool",
    "PoolUnavailable": "pool",
    "Profile": "profile",
    "ResourcePool": "pool",
    "Retry": "retry",
    "RetryBudget": "retry",
    "SharedBreakers": "breakershare",
    "TORNADO": "profile",
    "activate": "profile",
    "active": "profile",
    "inventory": "inventory",
    "override": "profile",
    "prefer": "profile",
}

__getattr__, __dir__ = lazy_face(__name__, _NAMES)
