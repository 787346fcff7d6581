"""A handler computes for seconds, in plain Python."""

# under: eyewall, tornado

import asyncio
import time

import tornado.httpclient
import tornado.httpserver
import tornado.testing
import tornado.web


def count_primes(until):
    found = 0
    number = 2
    while time.monotonic() < until:
        found += all(
            number % each for each in range(2, int(number**0.5) + 1)
        )  # finding: loop-blocked-computing
        number += 1
    return found


class PrimesHandler(tornado.web.RequestHandler):
    async def get(self):
        self.write(f"{count_primes(time.monotonic() + 4)} primes")


async def main():
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", PrimesHandler)]))
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    await tornado.httpclient.AsyncHTTPClient().fetch(f"http://127.0.0.1:{port}/")
    await asyncio.sleep(2)


if __name__ == "__main__":
    asyncio.run(main())
