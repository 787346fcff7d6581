"""What keeps a program within its bounds: limits by name, deadlines, admission, pools, breakers, health."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyewall._face import lazy_face

if TYPE_CHECKING:
    from eyewall.guard.backoff import Backoff
    from eyewall.guard.breakers.breaker import CircuitBreaker, CircuitOpen
    from eyewall.guard.breakers.breakerengine import BreakerState, Outcome
    from eyewall.guard.breakers.breakershare import SharedBreakers
    from eyewall.guard.breakers.bulkhead import Bulkhead, BulkheadFull, BulkheadTimeout
    from eyewall.guard.breakers.policy import CallTimeout, Policy
    from eyewall.guard.breakers.retry import Retry, RetryBudget
    from eyewall.guard.checks.healthregistry import Health, health
    from eyewall.guard.checks.healthreport import Report
    from eyewall.guard.checks.heartbeat import Heartbeat
    from eyewall.guard.deadlines.deadline import Deadline, remaining, unbounded
    from eyewall.guard.deadlines.timeouts import timeout
    from eyewall.guard.errors import DeadlineExceeded, Overloaded, RateLimited
    from eyewall.guard.histogram import Histogram
    from eyewall.guard.inventory import Inventory, Item
    from eyewall.guard.lifecycle.drain import Drain, DrainReport, Participant, process_drain
    from eyewall.guard.lifecycle.hooks import Lifecycle, LifecycleError, StartupFailed
    from eyewall.guard.lifecycle.tasks import OwnedTasks
    from eyewall.guard.limits.adaptivelimit import AdaptiveLimit
    from eyewall.guard.limits.admission import ConnectionLimit
    from eyewall.guard.limits.ratelimit import RateLimit
    from eyewall.guard.limits.rateshared import SharedRateLimit
    from eyewall.guard.limits.requestlimit import RequestLimit
    from eyewall.guard.pools.pool import PoolClosed, PoolFull, PoolTimeout, PoolUnavailable, ResourcePool
    from eyewall.guard.pools.poollease import Holder, Lease
    from eyewall.guard.profile import NATIVE, TORNADO, Profile, activate, active, override, prefer
    from eyewall.guard.throttle import LogThrottle
    from eyewall.guard.topics.buffers import Slow
    from eyewall.guard.topics.hub import Hub, Membership, RoomFull, TopicsFull
    from eyewall.guard.topics.memory import MemoryBackplane
    from eyewall.guard.topics.messages import Message, MessageId, Published
    from eyewall.guard.topics.presence import Change, Member
    from eyewall.guard.topics.reading import Subscription, TooSlow
    from eyewall.guard.topics.redisplane import RedisBackplane
    from eyewall.guard.topics.replay import Replay
    from eyewall.guard.topics.topic import Topic
    from eyewall.guard.verdict import Criticality, Status, Verdict
    from eyewall.guard.wheel import DeadlineWheel

__all__ = [
    "NATIVE",
    "TORNADO",
    "AdaptiveLimit",
    "Backoff",
    "BreakerState",
    "Bulkhead",
    "BulkheadFull",
    "BulkheadTimeout",
    "CallTimeout",
    "Change",
    "CircuitBreaker",
    "CircuitOpen",
    "ConnectionLimit",
    "Criticality",
    "Deadline",
    "DeadlineExceeded",
    "DeadlineWheel",
    "Drain",
    "DrainReport",
    "Health",
    "Heartbeat",
    "Histogram",
    "Holder",
    "Hub",
    "Inventory",
    "Item",
    "Lease",
    "Lifecycle",
    "LifecycleError",
    "LogThrottle",
    "Member",
    "Membership",
    "MemoryBackplane",
    "Message",
    "MessageId",
    "Outcome",
    "Overloaded",
    "OwnedTasks",
    "Participant",
    "Policy",
    "PoolClosed",
    "PoolFull",
    "PoolTimeout",
    "PoolUnavailable",
    "Profile",
    "Published",
    "RateLimit",
    "RateLimited",
    "RedisBackplane",
    "Replay",
    "Report",
    "RequestLimit",
    "ResourcePool",
    "Retry",
    "RetryBudget",
    "RoomFull",
    "SharedBreakers",
    "SharedRateLimit",
    "Slow",
    "StartupFailed",
    "Status",
    "Subscription",
    "TooSlow",
    "Topic",
    "TopicsFull",
    "Verdict",
    "activate",
    "active",
    "health",
    "override",
    "prefer",
    "process_drain",
    "remaining",
    "timeout",
    "unbounded",
]

_NAMES = {
    "AdaptiveLimit": "limits.adaptivelimit",
    "Backoff": "backoff",
    "BreakerState": "breakers.breakerengine",
    "Bulkhead": "breakers.bulkhead",
    "BulkheadFull": "breakers.bulkhead",
    "BulkheadTimeout": "breakers.bulkhead",
    "CallTimeout": "breakers.policy",
    "Change": "topics.presence",
    "CircuitBreaker": "breakers.breaker",
    "CircuitOpen": "breakers.breaker",
    "ConnectionLimit": "limits.admission",
    "Criticality": "verdict",
    "Deadline": "deadlines.deadline",
    "DeadlineExceeded": "errors",
    "DeadlineWheel": "wheel",
    "Drain": "lifecycle.drain",
    "DrainReport": "lifecycle.drain",
    "Health": "checks.healthregistry",
    "Heartbeat": "checks.heartbeat",
    "Histogram": "histogram",
    "Holder": "pools.poollease",
    "Hub": "topics.hub",
    "Inventory": "inventory",
    "Item": "inventory",
    "Lease": "pools.poollease",
    "Lifecycle": "lifecycle.hooks",
    "LifecycleError": "lifecycle.hooks",
    "LogThrottle": "throttle",
    "Member": "topics.presence",
    "Membership": "topics.hub",
    "MemoryBackplane": "topics.memory",
    "Message": "topics.messages",
    "MessageId": "topics.messages",
    "NATIVE": "profile",
    "Outcome": "breakers.breakerengine",
    "Overloaded": "errors",
    "OwnedTasks": "lifecycle.tasks",
    "Participant": "lifecycle.drain",
    "Policy": "breakers.policy",
    "PoolClosed": "pools.pool",
    "PoolFull": "pools.pool",
    "PoolTimeout": "pools.pool",
    "PoolUnavailable": "pools.pool",
    "Profile": "profile",
    "Published": "topics.messages",
    "RateLimit": "limits.ratelimit",
    "RateLimited": "errors",
    "RedisBackplane": "topics.redisplane",
    "Replay": "topics.replay",
    "Report": "checks.healthreport",
    "RequestLimit": "limits.requestlimit",
    "ResourcePool": "pools.pool",
    "Retry": "breakers.retry",
    "RetryBudget": "breakers.retry",
    "RoomFull": "topics.hub",
    "SharedBreakers": "breakers.breakershare",
    "SharedRateLimit": "limits.rateshared",
    "Slow": "topics.buffers",
    "StartupFailed": "lifecycle.hooks",
    "Status": "verdict",
    "Subscription": "topics.reading",
    "TORNADO": "profile",
    "TooSlow": "topics.reading",
    "Topic": "topics.topic",
    "TopicsFull": "topics.hub",
    "Verdict": "verdict",
    "activate": "profile",
    "active": "profile",
    "health": "checks.healthregistry",
    "override": "profile",
    "prefer": "profile",
    "process_drain": "lifecycle.drain",
    "remaining": "deadlines.deadline",
    "timeout": "deadlines.timeouts",
    "unbounded": "deadlines.deadline",
}

__getattr__, __dir__ = lazy_face(__name__, _NAMES)
