"""A service that hangs, asked without a guard and with one. Run it: eyewall run examples/howto/dependency.py"""

import asyncio

from eyewall.client import AsyncHTTPClient, HostGuard, HTTPClientError
from eyewall.web import Application, HTTPError, RequestHandler

guard = HostGuard(concurrent=5, minimum_calls=5, open_for=5.0)


class Weather(RequestHandler):
    """The other service, which would be another program."""

    async def get(self) -> None:
        await asyncio.sleep(20.0)
        self.write("rain\n")


class Waiting(RequestHandler):
    async def get(self) -> None:
        client = AsyncHTTPClient()
        response = await client.fetch(f"http://{self.request.host}/weather")
        self.write(response.body)


class Guarded(RequestHandler):
    async def get(self) -> None:
        client = AsyncHTTPClient()
        url = f"http://{self.request.host}/weather"
        try:
            response = await client.fetch(url, guard=guard, request_timeout=0.5)
        except HTTPClientError as error:
            raise HTTPError(502, "the weather: %s", error) from None
        self.write(response.body)


app = Application([("/weather", Weather), ("/waiting", Waiting), ("/guarded", Guarded)])
