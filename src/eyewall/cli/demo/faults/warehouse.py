"""A client of the warehouse keeps its connections in a list, and closed ones stay in there."""

import asyncio
import socket

from eyewall.cli.demo.customers import Customers


class Warehouse:
    def __init__(self) -> None:
        self.lines: list[socket.socket] = []

    def call(self) -> None:
        line = socket.socket()
        self.lines.append(line)  # finding: connection-kept
        line.close()


warehouse = Warehouse()


async def press(customers: Customers) -> None:
    for _ in range(40):
        warehouse.call()
    await asyncio.sleep(60)


def mend() -> None:
    warehouse.lines.clear()
