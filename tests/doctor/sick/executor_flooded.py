"""Every request hands a slow report to one thread and waits for it; more come than it can do."""

# under: eyewall, tornado
# also: executor-saturated

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

pool = ThreadPoolExecutor(1)


def render():
    time.sleep(0.2)
    return "report"


class ReportHandler(RequestHandler):
    async def get(self):
        loop = asyncio.get_running_loop()
        self.write(await loop.run_in_executor(pool, render))  # finding: executor-queue-grows


async def fetch(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /report HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    await reader.read()
    writer.close()


async def main():
    server = HTTPServer(Application([("/report", ReportHandler)]))
    sock, port = bind_unused_port()
    server.add_socket(sock)
    clients = set()
    for _ in range(800):
        client = asyncio.create_task(fetch(port))
        clients.add(client)
        client.add_done_callback(clients.discard)
        await asyncio.sleep(0.05)
    pool.shutdown(wait=False, cancel_futures=True)


if __name__ == "__main__":
    asyncio.run(main())
