"""A check of a port opens a socket each time, and returns early, before the line that closes it."""

import asyncio
import socket

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler

opened: list[socket.socket] = []


def is_up(port: int) -> bool:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)  # finding: descriptors-leak
    opened.append(sock)
    sock.setblocking(False)
    if sock.connect_ex(("127.0.0.1", port)) != 0:
        return False
    sock.close()
    return True


class CheckHandler(RequestHandler):
    def get(self) -> None:
        self.write({"up": is_up(9)})


routes = [("/check", CheckHandler)]


async def press(customers: Customers) -> None:
    while len(opened) < 200:
        await customers.get("/check")
        await asyncio.sleep(0.3)
    await asyncio.sleep(10)


def mend() -> None:
    for sock in opened:
        sock.close()
    opened.clear()
