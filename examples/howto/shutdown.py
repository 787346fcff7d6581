"""What has to be finished when the process ends. Run it: eyewall run examples/howto/shutdown.py --drain-timeout 2"""

import asyncio
import logging

from eyewall.web import Application, RequestHandler


class Order(RequestHandler):
    async def get(self) -> None:
        # Not part of the response, and not to be lost.
        self.spawn(self.confirm(), at_end="await")
        self.write("ordered\n")

    async def confirm(self) -> None:
        await asyncio.sleep(0.5)
        logging.info("confirmed")


class Slow(RequestHandler):
    async def get(self) -> None:
        await asyncio.sleep(60.0)


async def send_beats() -> None:
    while True:
        logging.debug("beat")
        await asyncio.sleep(1.0)


app = Application([("/order", Order), ("/slow", Slow)])


@app.lifecycle.on_startup("beats")
async def begin() -> None:
    app.settings["beats"] = asyncio.create_task(send_beats())


@app.lifecycle.on_shutdown("beats", timeout=2.0)
async def end() -> None:
    app.settings["beats"].cancel()
    await asyncio.wait([app.settings["beats"]])
    logging.info("no more beats")
