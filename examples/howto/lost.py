"""Errors that nobody hears of, and the same that somebody does. Run it: eyewall run examples/howto/lost.py"""

import asyncio

from eyewall.web import Application, RequestHandler


async def save(text: str) -> None:
    if not text.strip():
        raise ValueError("there is nothing to save")


class Forgotten(RequestHandler):
    def get(self) -> None:
        save(self.get_argument("text"))
        self.write("saved\n")


class Dropped(RequestHandler):
    tasks: set[asyncio.Task[None]] = set()

    def get(self) -> None:
        self.tasks.add(asyncio.create_task(save(self.get_argument("text", strip=False))))
        self.write("saved\n")


class Awaited(RequestHandler):
    async def get(self) -> None:
        await save(self.get_argument("text", strip=False))
        self.write("saved\n")


class Owned(RequestHandler):
    def get(self) -> None:
        self.spawn(save(self.get_argument("text", strip=False)), at_end="await")
        self.write("will be saved\n")


app = Application(
    [("/forgotten", Forgotten), ("/dropped", Dropped), ("/awaited", Awaited), ("/owned", Owned)]
)
