"""Tornado's `tornado.gen`, and the `Future` that programs, Bokeh among them, take from it although it is another's."""

from eyewall.loop.concurrent import Future as Future
from eyewall.loop.gen import BadYieldError as BadYieldError, KeyReuseError as KeyReuseError
from eyewall.loop.gen import LeakedCallbackError as LeakedCallbackError, Multi as Multi, Return as Return
from eyewall.loop.gen import ReturnValueIgnoredError as ReturnValueIgnoredError, Runner as Runner
from eyewall.loop.gen import TimeoutError as TimeoutError, UnknownKeyError as UnknownKeyError
from eyewall.loop.gen import WaitIterator as WaitIterator, convert_yielded as convert_yielded
from eyewall.loop.gen import coroutine as coroutine, is_coroutine_function as is_coroutine_function
from eyewall.loop.gen import maybe_future as maybe_future, moment as moment, multi as multi
from eyewall.loop.gen import multi_future as multi_future, sleep as sleep, with_timeout as with_timeout
