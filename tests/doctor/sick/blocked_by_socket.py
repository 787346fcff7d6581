"""A handler asks another service with a client that is not made for asyncio, and the service is slow."""

# under: eyewall, tornado

import asyncio
import socket
import threading
import urllib.request

import tornado.httpclient
import tornado.httpserver
import tornado.testing
import tornado.web


def slow_service(listening):
    connection, _ = listening.accept()
    connection.recv(4096)
    threading.Event().wait(3)
    connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n21")
    connection.close()


class WeatherHandler(tornado.web.RequestHandler):
    async def get(self):
        with urllib.request.urlopen(
            self.application.settings["weather"]
        ) as answer:  # finding: loop-blocked-io
            self.write(answer.read())


async def main():
    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=slow_service, args=(listening,), daemon=True).start()
    weather = f"http://127.0.0.1:{listening.getsockname()[1]}/"
    application = tornado.web.Application([("/", WeatherHandler)], weather=weather)
    server = tornado.httpserver.HTTPServer(application)
    sock, port = tornado.testing.bind_unused_port()
    server.add_socket(sock)
    await tornado.httpclient.AsyncHTTPClient().fetch(f"http://127.0.0.1:{port}/")
    await asyncio.sleep(2)
    listening.close()


if __name__ == "__main__":
    asyncio.run(main())
