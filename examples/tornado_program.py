"""A program as it is written for Tornado, with `eyewall.tornado` for `tornado` in its imports.
Run it: python examples/tornado_program.py --port=8888"""

import asyncio
import logging
import signal
from typing import Any

from eyewall.tornado import gen, httpserver, ioloop, locks, options, queues, web, websocket

options.define("port", default=8888, help="run on the given port", type=int)


class Jobs:
    def __init__(self) -> None:
        self.queue: queues.Queue[str] = queues.Queue(maxsize=100)
        self.done: list[str] = []

    async def work(self) -> None:
        async for job in self.queue:
            await gen.sleep(0.001)
            self.done.append(job)
            self.queue.task_done()


class MainHandler(web.RequestHandler):
    def initialize(self, jobs: Jobs) -> None:
        self.jobs = jobs

    def get(self) -> None:
        self.write({"done": self.jobs.done})

    @gen.coroutine
    def post(self) -> Any:
        yield self.jobs.queue.put(self.get_body_argument("job"))
        yield self.jobs.queue.join()
        self.write({"done": self.jobs.done})


class EchoSocket(websocket.WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        self.write_message("you said: " + str(message))


async def main() -> None:
    jobs = Jobs()
    app = web.Application([(r"/", MainHandler, {"jobs": jobs}), (r"/echo", EchoSocket)])
    server = httpserver.HTTPServer(app)
    server.listen(options.options.port, "127.0.0.1")
    logging.info("listening on port %d", server.sockets[0].getsockname()[1])

    ioloop.IOLoop.current().spawn_callback(jobs.work)
    ioloop.PeriodicCallback(lambda: logging.debug("%d jobs done", len(jobs.done)), 1000).start()

    stop = locks.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    server.stop()
    await server.close_all_connections()
    logging.info("stopped")


if __name__ == "__main__":
    options.parse_command_line()
    ioloop.IOLoop.current().run_sync(main)
