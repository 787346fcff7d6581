"""A handler starts a task for the mail, keeps it in a set, and nobody ever looks whether it has failed."""

# under: eyewall, tornado

import asyncio

import tornado.httpclient
import tornado.httpserver
import tornado.testing
import tornado.web

mails = set()


async def send_mail(address):
    await asyncio.sleep(0.01)
    name, domain = address.split("@")  # finding: task-exception-unread
    return f"{name} at {domain}"


class RegisterHandler(tornado.web.RequestHandler):
    async def post(self):
        mails.add(asyncio.create_task(send_mail(self.get_argument("address"))))
        self.set_status(202)


async def main():
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", RegisterHandler)]))
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    client = tornado.httpclient.AsyncHTTPClient()
    await client.fetch(f"http://127.0.0.1:{port}/", method="POST", body="address=nowhere")
    await asyncio.sleep(10)


if __name__ == "__main__":
    asyncio.run(main())
