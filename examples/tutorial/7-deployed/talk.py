"""Signs in, says something in the room, and prints what it hears. Run it: python talk.py ADDRESS NAME TEXT"""

from __future__ import annotations

import sys

from eyewall.loop import run
from tests.client import Browser


async def talk(address: str, name: str, text: str) -> None:
    browser = Browser(address)
    await browser.send("/signin", name=name, password=f"{name}'s secret")
    socket = await browser.connect("/socket")
    await socket.write_message(text)
    print(await socket.read_message())
    socket.close()


if __name__ == "__main__":
    run(talk(*sys.argv[1:4]))
