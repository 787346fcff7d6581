"""Long polls: each waits for the next message, some until they give up, some until their client has."""

# under: eyewall, tornado

import asyncio

import tornado.httpclient
import tornado.httpserver
import tornado.locks
import tornado.testing
import tornado.web

messages = []
news = tornado.locks.Condition()


class PollHandler(tornado.web.RequestHandler):
    async def get(self):
        known = int(self.get_argument("known"))
        while len(messages) == known:
            self.wait_future = news.wait(timeout=asyncio.get_running_loop().time() + 3)
            if not await self.wait_future:
                break
        if not self.request.connection.stream.closed():
            self.write({"messages": messages[known:]})

    def on_connection_close(self):
        if not self.wait_future.done():
            self.wait_future.cancel()


class SayHandler(tornado.web.RequestHandler):
    def post(self):
        messages.append(self.get_argument("text"))
        news.notify_all()


async def poll(client, url):
    known = 0
    while known < 5:
        response = await client.fetch(f"{url}/poll?known={known}", request_timeout=20)
        known += len(tornado.escape.json_decode(response.body)["messages"])


async def give_up(client, url):
    try:
        await client.fetch(f"{url}/poll?known=1000", request_timeout=0.5)
    except tornado.httpclient.HTTPClientError as error:
        print("given up:", error)


async def main():
    app = tornado.web.Application([("/poll", PollHandler), ("/say", SayHandler)])
    server = tornado.httpserver.HTTPServer(app)
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    url = f"http://127.0.0.1:{port}"
    client = tornado.httpclient.AsyncHTTPClient()
    client.configure(None, max_clients=50)
    polls = [asyncio.create_task(poll(client, url)) for _ in range(5)]
    await give_up(client, url)
    for number in range(5):
        await asyncio.sleep(0.7)
        await client.fetch(f"{url}/say", method="POST", body=f"text=message+{number}")
    await asyncio.gather(*polls)
    server.stop()
    await server.close_all_connections()


if __name__ == "__main__":
    asyncio.run(main())
