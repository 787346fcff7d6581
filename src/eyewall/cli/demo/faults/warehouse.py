"""A client of the warehouse keeps its lines in a list, and those that are closed stay in there."""

import asyncio
import socket

from eyewall.cli.demo.customers import Customers


class Line(socket.socket):
    """A line to the warehouse."""


class Warehouse:
    def __init__(self) -> None:
        self.lines: list[Line] = []

    def call(self) -> None:
        line = Line()
        self.lines.append(line)  # finding: connection-kept
        line.close()


warehouse = Warehouse()


async def press(customers: Customers) -> None:
    for _ in range(40):
        warehouse.call()
    await asyncio.sleep(60)


def mend() -> None:
    warehouse.lines.clear()
