"""A handler starts a task for the mail and keeps it, and nobody ever looks whether it has failed."""

import asyncio

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler

mails: set[asyncio.Task[str]] = set()


async def send_mail(address: str) -> str:
    await asyncio.sleep(0.01)
    name, domain = address.split("@")  # finding: task-exception-unread
    return f"{name} at {domain}"


class RegisterHandler(RequestHandler):
    async def post(self) -> None:
        mails.add(asyncio.create_task(send_mail(self.request.body.decode())))
        self.set_status(202)


routes = [("/register", RegisterHandler)]


async def press(customers: Customers) -> None:
    await customers.post("/register", b"nowhere")


def mend() -> None:
    mails.clear()
