"""Requests that wait long: for a condition that a poll of others shares, for an event of the handler's own that its
client's closing or a later request sets, for a future in a dictionary."""

# under: eyewall, tornado

import asyncio

import tornado.httpclient
import tornado.httpserver
import tornado.locks
import tornado.testing
import tornado.web

changed = tornado.locks.Condition()
waiting = {}
handlers = []


class PollHandler(tornado.web.RequestHandler):
    async def get(self):
        await changed.wait()
        self.write("changed")


class OrderHandler(tornado.web.RequestHandler):
    async def get(self, number):
        self.paid = asyncio.Event()
        handlers.append(self)
        await self.paid.wait()
        self.write("paid")


class ReplyHandler(tornado.web.RequestHandler):
    async def get(self, key):
        reply = waiting[key] = asyncio.get_running_loop().create_future()
        self.write(await reply)


class DoneHandler(tornado.web.RequestHandler):
    def get(self):
        changed.notify_all()
        for each in handlers:
            each.paid.set()
        for reply in waiting.values():
            reply.set_result("late")
        handlers.clear()
        waiting.clear()


async def main():
    application = tornado.web.Application(
        [
            ("/poll", PollHandler),
            ("/order/(.*)", OrderHandler),
            ("/reply/(.*)", ReplyHandler),
            ("/done", DoneHandler),
        ]
    )
    server = tornado.httpserver.HTTPServer(application)
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    client = tornado.httpclient.AsyncHTTPClient()
    paths = ["poll", "poll", "order/1", "order/2", "reply/1", "reply/2"]
    fetches = [client.fetch(f"http://127.0.0.1:{port}/{path}", request_timeout=60) for path in paths]
    everything = asyncio.gather(*fetches)
    await asyncio.sleep(13)
    await client.fetch(f"http://127.0.0.1:{port}/done")
    await everything
    server.stop()


if __name__ == "__main__":
    asyncio.run(main())
