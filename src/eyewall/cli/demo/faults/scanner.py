"""A handler reads a file that is not one: a pipe, into which a slow device writes."""

import os
import threading
import time
from pathlib import Path

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler


class ScanHandler(RequestHandler):
    def get(self) -> None:
        with open(self.settings["folder"] / "scanner", "rb") as file:
            self.write(file.read())  # finding: loop-blocked-io


def scan(device: Path) -> None:
    with open(device, "wb") as file:
        time.sleep(1.2)
        file.write(b"a page")


routes = [("/scan", ScanHandler)]


async def press(customers: Customers) -> None:
    device = customers.folder / "scanner"
    if not device.exists():
        os.mkfifo(device)
    threading.Thread(target=scan, args=(device,), daemon=True).start()
    await customers.get("/scan")
