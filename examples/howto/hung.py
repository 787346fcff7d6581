"""Requests that wait for an answer that nobody gives. Run it: eyewall run examples/howto/hung.py"""

import asyncio

from eyewall.guard import timeout
from eyewall.web import Application, RequestHandler

Reply = asyncio.Future[str]


class Printer:
    """Answers jobs later; forgets those for which it has no paper."""

    def __init__(self) -> None:
        self.waiting: list[Reply] = []

    def ask(self, text: str) -> Reply:
        reply: Reply = asyncio.get_running_loop().create_future()
        if len(text) < 100:
            asyncio.get_running_loop().call_later(0.1, reply.set_result, "printed\n")
        # Else: nobody keeps it, and nobody will ever answer.
        return reply


class Print(RequestHandler):
    async def get(self) -> None:
        reply = self.settings["printer"].ask(self.get_argument("text"))
        self.write(await reply)


class PrintInTime(RequestHandler):
    @timeout(0.5)
    async def get(self) -> None:
        reply = self.settings["printer"].ask(self.get_argument("text"))
        self.write(await reply)


app = Application([("/print", Print), ("/print-in-time", PrintInTime)], printer=Printer())
