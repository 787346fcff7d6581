"""Tornado's `tornado.queues`."""

from eyewall.loop.queues import LifoQueue as LifoQueue, PriorityQueue as PriorityQueue, Queue as Queue
from eyewall.loop.queues import QueueEmpty as QueueEmpty, QueueFull as QueueFull
