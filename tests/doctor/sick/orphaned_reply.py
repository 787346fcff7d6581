"""Replies are matched by a key that two requests share: the first one's future is overwritten."""

# under: eyewall, tornado

import asyncio

import tornado.httpclient
import tornado.httpserver
import tornado.testing
import tornado.web

waiting = {}


class QuoteHandler(tornado.web.RequestHandler):
    async def get(self, symbol):
        reply = asyncio.get_running_loop().create_future()
        waiting[symbol] = reply
        self.write(str(await reply))  # finding: future-orphaned


def feed(symbol, price):
    waiting.pop(symbol).set_result(price)


async def main():
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/(.*)", QuoteHandler)]))
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    client = tornado.httpclient.AsyncHTTPClient()
    fetches = [
        asyncio.ensure_future(
            client.fetch(f"http://127.0.0.1:{port}/ACME", raise_error=False, request_timeout=20)
        )
        for _ in range(2)
    ]
    asyncio.get_running_loop().call_later(0.5, feed, "ACME", 42)
    await asyncio.wait(fetches)


if __name__ == "__main__":
    asyncio.run(main())
