"""Twelve clients ask for reports, which two threads make: each waits for five others."""

# under: eyewall, tornado
# also: executor-queue-grows

import asyncio
import concurrent.futures
import time

import tornado.httpserver
import tornado.ioloop
import tornado.testing
import tornado.web

executor = concurrent.futures.ThreadPoolExecutor(2)


def make_report():
    time.sleep(0.1)
    return "report"


class ReportHandler(tornado.web.RequestHandler):
    async def get(self):
        loop = tornado.ioloop.IOLoop.current()
        report = await loop.run_in_executor(executor, make_report)  # finding: executor-saturated
        self.write(report)


async def client(port, stop):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while not stop.is_set():
        writer.write(b"GET /report HTTP/1.1\r\nHost: shop\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head
        await reader.readexactly(len("report"))
    writer.close()


async def main():
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/report", ReportHandler)]))
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    stop = asyncio.Event()
    clients = [asyncio.create_task(client(port, stop)) for _ in range(12)]
    await asyncio.sleep(15)
    stop.set()
    await asyncio.gather(*clients)


if __name__ == "__main__":
    asyncio.run(main())
