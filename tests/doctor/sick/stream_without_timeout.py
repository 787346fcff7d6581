"""A database over a plain socket stops answering; every request waits in a helper function for its line."""

# under: eyewall, tornado

import asyncio

import tornado.httpserver
import tornado.testing
import tornado.web


class Database:
    def __init__(self, port):
        self.port = port

    async def ask(self, question):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(question.encode() + b"\n")
        await writer.drain()
        answer = await reader.readline()  # finding: route-waits
        writer.close()
        return answer


class UserHandler(tornado.web.RequestHandler):
    async def get(self, name):
        answer = await self.application.settings["database"].ask(f"user {name}")
        self.write(answer)


async def answers_at_first(reader, writer):
    question = await reader.readline()
    if question == b"user 0\n":
        writer.write(b"somebody\n")
        await writer.drain()
    else:
        await asyncio.sleep(3600)


async def fetch(port, number):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /user/%d HTTP/1.1\r\nHost: shop\r\n\r\n" % number)
    await reader.read()


async def main():
    service = await asyncio.start_server(answers_at_first, "127.0.0.1", 0)
    database = Database(service.sockets[0].getsockname()[1])
    app = tornado.web.Application([(r"/user/(\d+)", UserHandler)], database=database)
    server = tornado.httpserver.HTTPServer(app)
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    clients = []
    for number in range(60):
        clients.append(asyncio.create_task(fetch(port, number)))
        await asyncio.sleep(0.25)
    for client in clients:
        client.cancel()


if __name__ == "__main__":
    asyncio.run(main())
