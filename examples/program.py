"""A program with a loop of its own, instead of `eyewall run`. Run it: python examples/program.py --port=8000"""

import asyncio
import logging
import signal

from eyewall.base.options import define, options, parse_command_line
from eyewall.loop import run
from eyewall.web import Application, RequestHandler

define("port", default=8000, help="where to listen")


class Hello(RequestHandler):
    async def get(self, name: str) -> None:
        await asyncio.sleep(0.01)
        self.write({"hello": name})


async def main() -> None:
    app = Application([(r"/hello/(\w+)", Hello)])
    server = app.listen(options.port, "127.0.0.1")
    logging.info("listening on port %d", server.sockets[0].getsockname()[1])

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    # Stop accepting, finish what was begun, close WebSockets with 1001.
    await server.drain(timeout=30)


if __name__ == "__main__":
    parse_command_line()
    run(main())
