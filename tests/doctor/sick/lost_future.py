"""A reply comes for a request that was given up: the error in it is put into a future that nobody has any more."""

# under: eyewall, tornado

import asyncio

from tornado.concurrent import Future
from tornado.ioloop import IOLoop

waiting = {}
history = []


def parse(reply):
    return {"total": int(reply), "lines": [[] for _ in range(10)]}  # finding: future-exception-unread


def on_reply(number, reply):
    future = waiting.pop(number)
    try:
        future.set_result(parse(reply))
    except ValueError as error:
        future.set_exception(error)


async def main():
    waiting[0] = Future()
    IOLoop.current().add_callback(on_reply, 0, "out of order")
    for number in range(1, 1000):
        waiting[number] = future = Future()
        IOLoop.current().call_later(0.01, on_reply, number, str(number))
        history.append(await future)


if __name__ == "__main__":
    asyncio.run(main())
