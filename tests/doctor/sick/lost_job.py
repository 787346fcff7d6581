"""A handler hands a job to a thread pool and drops the future that would tell of its failure."""

# under: eyewall, tornado

import asyncio
import concurrent.futures

import tornado.httpclient
import tornado.httpserver
import tornado.testing
import tornado.web

pool = concurrent.futures.ThreadPoolExecutor(2)


def archive(name):
    with open(f"/nowhere/{name}", "w") as file:  # finding: job-exception-unread
        file.write(name)


class ArchiveHandler(tornado.web.RequestHandler):
    def post(self):
        pool.submit(archive, "today")
        self.set_status(202)


async def main():
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", ArchiveHandler)]))
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    client = tornado.httpclient.AsyncHTTPClient()
    await client.fetch(f"http://127.0.0.1:{port}/", method="POST", body=b"")
    await asyncio.sleep(10)


if __name__ == "__main__":
    asyncio.run(main())
