"""A handler converts something with another program, and waits for it to end."""

# under: eyewall, tornado

import asyncio
import subprocess
import sys

import tornado.httpclient
import tornado.httpserver
import tornado.testing
import tornado.web


class ConvertHandler(tornado.web.RequestHandler):
    def post(self):
        command = [
            sys.executable,
            "-c",
            "import sys, time; time.sleep(3); sys.stdout.write(sys.stdin.read())",
        ]
        done = subprocess.run(
            command, input=self.request.body, stdout=subprocess.PIPE
        )  # finding: loop-blocked-waiting
        self.write(done.stdout)


async def main():
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", ConvertHandler)]))
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    client = tornado.httpclient.AsyncHTTPClient()
    await client.fetch(f"http://127.0.0.1:{port}/", method="POST", body=b"picture")
    await asyncio.sleep(2)


if __name__ == "__main__":
    asyncio.run(main())
