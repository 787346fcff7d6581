"""Two handlers take the same two locks in two orders."""

# under: eyewall, tornado

import asyncio

import tornado.httpclient
import tornado.httpserver
import tornado.locks
import tornado.testing
import tornado.web

stock, orders = tornado.locks.Lock(), tornado.locks.Lock()


class BuyHandler(tornado.web.RequestHandler):
    async def get(self):
        async with stock:
            await asyncio.sleep(0.05)
            async with orders:  # finding: lock-deadlock
                self.write("bought")


class ReturnHandler(tornado.web.RequestHandler):
    async def get(self):
        async with orders:
            await asyncio.sleep(0.05)
            async with stock:  # finding: lock-deadlock
                self.write("returned")


async def main():
    application = tornado.web.Application([("/buy", BuyHandler), ("/return", ReturnHandler)])
    server = tornado.httpserver.HTTPServer(application)
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    client = tornado.httpclient.AsyncHTTPClient()
    urls = [f"http://127.0.0.1:{port}/{name}" for name in ("buy", "return")]
    fetches = [client.fetch(url, raise_error=False, request_timeout=12) for url in urls]
    await asyncio.wait([asyncio.ensure_future(each) for each in fetches])


if __name__ == "__main__":
    asyncio.run(main())
