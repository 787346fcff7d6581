"""A handler checks what a client sent against a regular expression that tries everything there is."""

# under: eyewall, tornado

import asyncio
import re

import tornado.httpclient
import tornado.httpserver
import tornado.testing
import tornado.web


class NameHandler(tornado.web.RequestHandler):
    def post(self):
        name = self.request.body.decode()
        if re.fullmatch(r"(\w+\s?)*", name) is None:  # finding: loop-blocked-native
            self.write("that is no name")


async def main():
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", NameHandler)]))
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    client = tornado.httpclient.AsyncHTTPClient()
    await client.fetch(f"http://127.0.0.1:{port}/", method="POST", body="a" * 23 + "!")
    await asyncio.sleep(2)


if __name__ == "__main__":
    asyncio.run(main())
