"""Eight customers ask for reports, which two threads make: each report waits for others, longer than it takes."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler

pool = ThreadPoolExecutor(2, "shop-reports")


def make_report() -> str:
    time.sleep(0.1)
    return "report"


class ReportHandler(RequestHandler):
    async def get(self) -> None:
        loop = asyncio.get_running_loop()
        report = await loop.run_in_executor(pool, make_report)  # finding: executor-saturated
        self.write(report)


routes = [("/report", ReportHandler)]


async def press(customers: Customers) -> None:
    await customers.come_back("/report", customers=12)
