"""A handler hands a job to a thread pool, and drops the future that would tell of its failure."""

import concurrent.futures

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler

pool = concurrent.futures.ThreadPoolExecutor(1, "shop-archive")


def archive(name: str) -> None:
    with open(f"/nowhere/{name}", "w") as file:  # finding: job-exception-unread
        file.write(name)


class ArchiveHandler(RequestHandler):
    def post(self) -> None:
        pool.submit(archive, "today")
        self.set_status(202)


routes = [("/archive", ArchiveHandler)]


async def press(customers: Customers) -> None:
    await customers.post("/archive")
