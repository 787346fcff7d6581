"""A thread holds a lock while it writes a report; a handler takes the same lock, and waits in the loop."""

import threading
import time

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler

stock = {"tea": 3}
lock = threading.Lock()


def write_report(begun: threading.Event) -> None:
    with lock:
        begun.set()
        time.sleep(1.2)


class StockHandler(RequestHandler):
    def get(self) -> None:
        with lock:  # finding: loop-blocked-waiting
            self.write(stock)


routes = [("/stock", StockHandler)]


async def press(customers: Customers) -> None:
    begun = threading.Event()
    threading.Thread(target=write_report, args=(begun,), daemon=True).start()
    begun.wait(1)
    await customers.get("/stock")
