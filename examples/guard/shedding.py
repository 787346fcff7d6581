"""A limit that finds its number itself. Run it: python examples/guard/shedding.py --port=8000"""

import asyncio
import logging
import signal

from eyewall.base.options import define, options, parse_command_line
from eyewall.guard import AdaptiveLimit
from eyewall.http import HTTPServer
from eyewall.loop import run
from eyewall.web import Application, RequestHandler

define("port", default=8000, help="where to listen")


class Page(RequestHandler):
    async def get(self) -> None:
        await asyncio.sleep(0.01)
        self.write("here you are\n")


async def main() -> None:
    server = HTTPServer(Application([("/.*", Page)]))
    server.limit_requests(AdaptiveLimit(priorities={"/feed/": -1, "/checkout/": 1}))
    server.listen(options.port, "127.0.0.1")
    logging.info("listening on port %d", server.sockets[0].getsockname()[1])

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await server.drain(timeout=30)


if __name__ == "__main__":
    parse_command_line()
    run(main())
