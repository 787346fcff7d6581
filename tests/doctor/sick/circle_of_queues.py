"""A request's two halves talk over queues, and each begins by waiting for the other one's first word."""

# under: eyewall, tornado

import asyncio

import tornado.gen
import tornado.httpclient
import tornado.httpserver
import tornado.queues
import tornado.testing
import tornado.web


async def reader(words, answers):
    greeting = await answers.get()  # finding: wait-cycle
    await words.put(greeting)


async def writer(words, answers):
    word = await words.get()  # finding: wait-cycle
    await answers.put(word.upper())


class TalkHandler(tornado.web.RequestHandler):
    async def get(self):
        words, answers = tornado.queues.Queue(1), tornado.queues.Queue(1)
        await tornado.gen.multi([reader(words, answers), writer(words, answers)])


async def main():
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", TalkHandler)]))
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    client = tornado.httpclient.AsyncHTTPClient()
    await client.fetch(f"http://127.0.0.1:{port}/", raise_error=False, request_timeout=25)


if __name__ == "__main__":
    asyncio.run(main())
