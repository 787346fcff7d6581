"""What keeps a program within its bounds: limits by name, deadlines, admission, pools, breakers, health."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyewall._face import lazy_face

if TYPE_CHECKING:
    from eyewall.guard.adaptivelimit import AdaptiveLimit
    from eyewall.guard.admission import ConnectionLimit
    from eyewall.guard.backoff import Backoff
    from eyewall.guard.breaker import CircuitBreaker, CircuitOpen
    from eyewall.guard.breakerengine import BreakerState, Outcome
    from eyewall.guard.breakershare import SharedBreakers
    from eyewall.guard.bulkhead import Bulkhead, BulkheadFull, BulkheadTimeout
    from eyewall.guard.deadline import Deadline, remaining, unbounded
    from eyewall.guard.drain import Drain, DrainReport, Participant, process_drain
    from eyewall.guard.errors import DeadlineExceeded, Overloaded, RateLimited
    from eyewall.guard.healthregistry import Health, health
    from eyewall.guard.healthreport import Report
    from eyewall.guard.heartbeat import Heartbeat
    from eyewall.guard.histogram import Histogram
    from eyewall.guard.inventory import Inventory, Item
    from eyewall.guard.lifecycle import Lifecycle, LifecycleError, StartupFailed
    from eyewall.guard.policy import CallTimeout, Policy
    from eyewall.guard.pool import PoolClosed, PoolFull, PoolTimeout, PoolUnavailable, ResourcePool
    from eyewall.guard.poollease import Holder, Lease
    from eyewall.guard.profile import NATIVE, TORNADO, Profile, activate, active, override, prefer
    from eyewall.guard.ratelimit import RateLimit
    from eyewall.guard.rateshared import SharedRateLimit
    from eyewall.guard.requestlimit import RequestLimit
    from eyewall.guard.retry import Retry, RetryBudget
    from eyewall.guard.tasks import OwnedTasks
    from eyewall.guard.throttle import LogThrottle
    from eyewall.guard.timeouts import timeout
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
    "AdaptiveLimit": "adaptivelimit",
    "Backoff": "backoff",
    "BreakerState": "breakerengine",
    "Bulkhead": "bulkhead",
    "BulkheadFull": "bulkhead",
    "BulkheadTimeout": "bulkhead",
    "CallTimeout": "policy",
    "Change": "topics.presence",
    "CircuitBreaker": "breaker",
    "CircuitOpen": "breaker",
    "ConnectionLimit": "admission",
    "Criticality": "verdict",
    "Deadline": "deadline",
    "DeadlineExceeded": "errors",
    "DeadlineWheel": "wheel",
    "Drain": "drain",
    "DrainReport": "drain",
    "Health": "healthregistry",
    "Heartbeat": "heartbeat",
    "Histogram": "histogram",
    "Holder": "poollease",
    "Hub": "topics.hub",
    "Inventory": "inventory",
    "Item": "inventory",
    "Lease": "poollease",
    "Lifecycle": "lifecycle",
    "LifecycleError": "lifecycle",
    "LogThrottle": "throttle",
    "Member": "topics.presence",
    "Membership": "topics.hub",
    "MemoryBackplane": "topics.memory",
    "Message": "topics.messages",
    "MessageId": "topics.messages",
    "NATIVE": "profile",
    "Outcome": "breakerengine",
    "Overloaded": "errors",
    "OwnedTasks": "tasks",
    "Participant": "drain",
    "Policy": "policy",
    "PoolClosed": "pool",
    "PoolFull": "pool",
    "PoolTimeout": "pool",
    "PoolUnavailable": "pool",
    "Profile": "profile",
    "Published": "topics.messages",
    "RateLimit": "ratelimit",
    "RateLimited": "errors",
    "RedisBackplane": "topics.redisplane",
    "Replay": "topics.replay",
    "Report": "healthreport",
    "RequestLimit": "requestlimit",
    "ResourcePool": "pool",
    "Retry": "retry",
    "RetryBudget": "retry",
    "RoomFull": "topics.hub",
    "SharedBreakers": "breakershare",
    "SharedRateLimit": "rateshared",
    "Slow": "topics.buffers",
    "StartupFailed": "lifecycle",
    "Status": "verdict",
    "Subscription": "topics.reading",
    "TORNADO": "profile",
    "TooSlow": "topics.reading",
    "Topic": "topics.topic",
    "TopicsFull": "topics.hub",
    "Verdict": "verdict",
    "activate": "profile",
    "active": "profile",
    "health": "healthregistry",
    "override": "profile",
    "prefer": "profile",
    "process_drain": "drain",
    "remaining": "deadline",
    "timeout": "timeouts",
    "unbounded": "deadline",
}

__getattr__, __dir__ = lazy_face(__name__, _NAMES)
