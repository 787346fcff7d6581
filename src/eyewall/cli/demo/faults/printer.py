"""A bounded executor is full, stays so, and refuses what is too much: it has one thread for all the labels."""

import time

from eyewall.cli.demo.customers import Customers
from eyewall.guard.executors import ExecutorFull, ThreadExecutor
from eyewall.web import RequestHandler

printer = ThreadExecutor("printer", workers=1, queue=8)


def print_label() -> None:
    time.sleep(0.2)


class LabelHandler(RequestHandler):
    def post(self) -> None:
        try:
            printer.submit(print_label)  # finding: executor-full
        except ExecutorFull:
            self.set_status(503)


routes = [("/label", LabelHandler)]


async def press(customers: Customers) -> None:
    await customers.come("/label", every=0.05, method="POST")
