"""Tornado's `tornado.locks`."""

from eyewall.loop.locks import BoundedSemaphore as BoundedSemaphore, Condition as Condition, Event as Event
from eyewall.loop.locks import Lock as Lock, Semaphore as Semaphore
