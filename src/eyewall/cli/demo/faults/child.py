"""A handler converts a picture with another program, and waits for it to end."""

import subprocess
import sys

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler

CONVERTER = [sys.executable, "-S", "-E", "-c", "import time; time.sleep(1.2)"]


class ConvertHandler(RequestHandler):
    def post(self) -> None:
        subprocess.run(CONVERTER, check=True)  # finding: loop-blocked-waiting
        self.write("converted")


routes = [("/convert", ConvertHandler)]


async def press(customers: Customers) -> None:
    await customers.post("/convert", b"picture")
