"""A bounded executor is full, stays so, and refuses jobs: its one thread waits for a printer that is jammed."""

import threading

from eyewall.cli.demo.customers import Customers
from eyewall.guard.executors import ExecutorFull, ThreadExecutor
from eyewall.web import RequestHandler

printer = ThreadExecutor("printer", workers=1, queue=8)
repaired = threading.Event()


def print_label() -> None:
    repaired.wait(30)


class LabelHandler(RequestHandler):
    def post(self) -> None:
        try:
            printer.submit(print_label)  # finding: executor-full
        except ExecutorFull:
            self.set_status(503)


routes = [("/label", LabelHandler)]


async def press(customers: Customers) -> None:
    repaired.clear()
    await customers.come("/label", every=0.1, method="POST")


def mend() -> None:
    repaired.set()
