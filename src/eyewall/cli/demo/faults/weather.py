"""A handler asks another service with a client that is not made for asyncio, and the service is slow."""

import socket
import threading
import time
import urllib.request

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler


class WeatherHandler(RequestHandler):
    async def get(self) -> None:
        with urllib.request.urlopen(self.get_argument("service")) as answer:  # finding: loop-blocked-io
            self.write(answer.read())


def slow_service(listening: socket.socket) -> None:
    with listening:
        connection, _ = listening.accept()
    with connection:
        connection.recv(4096)
        time.sleep(1.2)
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n21")


routes = [("/weather", WeatherHandler)]


async def press(customers: Customers) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    threading.Thread(target=slow_service, args=(listening,), daemon=True).start()
    await customers.get(f"/weather?service=http://127.0.0.1:{port}/")
