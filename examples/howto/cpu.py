"""Computation in processes of its own, or on a cluster. Run it: eyewall run examples/howto/cpu.py"""

from eyewall.guard.executors import configure, executor
from eyewall.web import Application, RequestHandler

configure("primes", medium="processes", workers=2, queue=8, wait=2.0)


def count_primes(limit: int) -> int:
    return sum(all(number % divisor for divisor in range(2, number)) for number in range(2, limit))


class Blocking(RequestHandler):
    def get(self, limit: str) -> None:
        self.write(f"{count_primes(int(limit))}\n")


class Primes(RequestHandler):
    async def get(self, limit: str) -> None:
        self.write(f"{await executor('primes').run(count_primes, int(limit))}\n")


app = Application([(r"/blocking/([0-9]{1,5})", Blocking), (r"/primes/([0-9]{1,5})", Primes)])
