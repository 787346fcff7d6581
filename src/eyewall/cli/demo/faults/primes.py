"""A handler computes, in plain Python."""

import time

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler


def count_primes(until: float) -> int:
    found = 0
    number = 2
    while time.monotonic() < until:
        found += all(number % each for each in range(2, number))  # finding: loop-blocked-computing
        number += 1
    return found


class PrimesHandler(RequestHandler):
    def get(self) -> None:
        self.write(f"{count_primes(time.monotonic() + 2.0)} primes")


routes = [("/primes", PrimesHandler)]


async def press(customers: Customers) -> None:
    await customers.get("/primes")
