"""What keeps a program within its bounds: limits by name, deadlines, admission, health, and an orderly end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyewall._face import lazy_face

if TYPE_CHECKING:
    from eyewall.guard.adaptivelimit import AdaptiveLimit
    from eyewall.guard.admission import ConnectionLimit
    from eyewall.guard.deadline import Deadline, remaining, unbounded
    from eyewall.guard.drain import Drain, DrainReport, Participant, process_drain
    from eyewall.guard.errors import DeadlineExceeded, Overloaded, RateLimited
    from eyewall.guard.healthregistry import Health, health
    from eyewall.guard.healthreport import Report
    from eyewall.guard.heartbeat import Heartbeat
    from eyewall.guard.histogram import Histogram
    from eyewall.guard.inventory import Inventory, Item
    from eyewall.guard.lifecycle import Lifecycle, LifecycleError, StartupFailed
    from eyewall.guard.profile import NATIVE, TORNADO, Profile, activate, active, override, prefer
    from eyewall.guard.ratelimit import RateLimit
    from eyewall.guard.rateshared import SharedRateLimit
    from eyewall.guard.requestlimit import RequestLimit
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
    "Change",
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
    "Hub",
    "Inventory",
    "Item",
    "Lifecycle",
    "LifecycleError",
    "LogThrottle",
    "Member",
    "Membership",
    "MemoryBackplane",
    "Message",
    "MessageId",
    "Overloaded",
    "OwnedTasks",
    "Participant",
    "Profile",
    "Published",
    "RateLimit",
    "RateLimited",
    "RedisBackplane",
    "Replay",
    "Report",
    "RequestLimit",
    "RoomFull",
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
    "Change": "topics.presence",
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
    "Hub": "topics.hub",
    "Inventory": "inventory",
    "Item": "inventory",
    "Lifecycle": "lifecycle",
    "LifecycleError": "lifecycle",
    "LogThrottle": "throttle",
    "Member": "topics.presence",
    "Membership": "topics.hub",
    "MemoryBackplane": "topics.memory",
    "Message": "topics.messages",
    "MessageId": "topics.messages",
    "NATIVE": "profile",
    "Overloaded": "errors",
    "OwnedTasks": "tasks",
    "Participant": "drain",
    "Profile": "profile",
    "Published": "topics.messages",
    "RateLimit": "ratelimit",
    "RateLimited": "errors",
    "RedisBackplane": "topics.redisplane",
    "Replay": "topics.replay",
    "Report": "healthreport",
    "RequestLimit": "requestlimit",
    "RoomFull": "topics.hub",
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
