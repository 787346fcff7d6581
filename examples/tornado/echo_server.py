"""Says back what it hears, line by line.
Run it: python -m eyewall.tornado examples/tornado/echo_server.py --port=8007"""

import asyncio
import logging

import tornado.iostream
import tornado.netutil
import tornado.tcpserver
from tornado.options import define, options, parse_command_line

define("port", default=8007, type=int, help="listen on this port")

LONGEST = 4096


class EchoServer(tornado.tcpserver.TCPServer):
    async def handle_stream(self, stream, address):
        logging.info("%s:%d is here", *address[:2])
        try:
            while True:
                line = await stream.read_until(b"\n", max_bytes=LONGEST)
                await stream.write(line)
        except tornado.iostream.StreamClosedError:
            logging.info("%s:%d is gone", *address[:2])


async def main():
    server = EchoServer()
    sockets = tornado.netutil.bind_sockets(options.port, "127.0.0.1")
    server.add_sockets(sockets)
    logging.info("listening on port %d", sockets[0].getsockname()[1])
    await asyncio.Event().wait()


if __name__ == "__main__":
    parse_command_line()
    asyncio.run(main())
