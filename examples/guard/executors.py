"""Blocking work off the loop, within bounds. Run it: eyewall run examples/guard/executors.py

GET /rows/3 asks a slow database, in threads; GET /primes/100000 computes, in processes of its own. What is too much is
answered with 503 and Retry-After at once; GET /state says how it stands.
"""

import time

from eyewall.guard.executors import configure, executor
from eyewall.web import Application, RequestHandler

configure("database", workers=4, queue=16, full="reject")
configure("primes", medium="processes", workers=2, queue=8, wait=2.0)


def query(number: int) -> list[int]:
    """Stands for a driver that blocks."""
    time.sleep(0.02)
    return list(range(number))


def count_primes(limit: int) -> int:
    sieve = bytearray([1]) * (limit + 1)
    sieve[:2] = bytes(2)
    for number in range(2, int(limit**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, limit + 1, number)))
    return sum(sieve)


class Rows(RequestHandler):
    async def get(self, number: str) -> None:
        self.write({"rows": await executor("database").run(query, int(number))})


class Primes(RequestHandler):
    async def get(self, limit: str) -> None:
        self.write({"primes": await executor("primes").run(count_primes, int(limit))})


class State(RequestHandler):
    def get(self) -> None:
        database = executor("database")
        self.write({"state": dict(database.state()), "counters": dict(database.counters())})


app = Application(
    [(r"/rows/([0-9]{1,4})", Rows), (r"/primes/([0-9]{1,7})", Primes), (r"/state", State)],
)
