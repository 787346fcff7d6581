"""A counter and its tests. Run them: python examples/testing.py"""

import asyncio
import unittest

from eyewall.http import HTTPServer
from eyewall.testing import AsyncHTTPTestCase, ExpectLog, connect_in_memory, gen_test, run_with_fake_clock
from eyewall.web import Application, RequestHandler

REQUEST = b"POST /counter/wind HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Counter(RequestHandler):
    counts: dict[str, int] = {}

    def get(self, name: str) -> None:
        self.write({"count": self.counts[name]})

    async def post(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1
        await asyncio.sleep(3600)
        self.get(name)


def make_app() -> Application:
    return Application([("/counter/([a-z]+)", Counter)])


class CounterTest(AsyncHTTPTestCase):
    def get_app(self) -> Application:
        Counter.counts = {"rain": 3}
        return make_app()

    def test_counts_are_told(self) -> None:
        response = self.fetch("/counter/rain")
        assert response.body == b'{"count": 3}'

    def test_what_was_never_counted(self) -> None:
        with ExpectLog("tornado.application", "Uncaught exception GET /counter/sun"):
            assert self.fetch("/counter/sun").code == 500

    @gen_test(timeout=10)
    async def test_several_at_once(self) -> None:
        fetch, url = self.http_client.fetch, self.get_url("/counter/rain")
        responses = await asyncio.gather(*(fetch(url) for _ in range(5)))
        assert {response.code for response in responses} == {200}


class PatienceTest(unittest.TestCase):
    def test_an_hour_takes_no_time(self) -> None:
        async def count() -> bytes:
            server = HTTPServer(make_app())
            reader, writer = connect_in_memory(server)
            writer.write(REQUEST)
            answer = await reader.read()
            writer.close()
            assert asyncio.get_running_loop().time() >= 3600
            return answer

        assert b'{"count": 1}' in run_with_fake_clock(count())


if __name__ == "__main__":
    unittest.main()
