"""More blocking work than there are workers for, through a real server: what is too much is answered at once, the rest
of the application does not notice, and nothing grows."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from typing import Any

from eyewall.client import AsyncHTTPClient
from eyewall.guard.executors.threads import ThreadExecutor
from eyewall.http.server import HTTPServer
from eyewall.web import Application, RequestHandler
from tests.waiting import until

PATIENCE = 40.0
WORKERS, QUEUE, CLIENTS = 4, 8, 60


def test_the_excess_is_refused_while_the_rest_is_served(run: Any) -> None:
    go = threading.Event()

    class Blocking(RequestHandler):
        async def get(self) -> None:
            self.write({"waited": await executor.run(go.wait, PATIENCE)})

    class Plain(RequestHandler):
        def get(self) -> None:
            self.write("plain")

    async def main() -> None:
        sock = socket.create_server(("127.0.0.1", 0))
        server = HTTPServer(Application([("/blocking", Blocking), ("/plain", Plain)]))
        server.add_sockets([sock])
        port = sock.getsockname()[1]
        client = AsyncHTTPClient(force_instance=True, max_clients=2 * CLIENTS)

        def fetch(path: str) -> asyncio.Future[Any]:
            return asyncio.ensure_future(
                client.fetch(f"http://127.0.0.1:{port}{path}", raise_error=False, request_timeout=PATIENCE)
            )

        requests = [fetch("/blocking") for _ in range(CLIENTS)]
        # Answered while every worker is busy, and stays so until the test says otherwise.
        refused = []
        while len(refused) < CLIENTS - WORKERS - QUEUE:
            done, _ = await asyncio.wait(
                [each for each in requests if each not in refused], return_when=asyncio.FIRST_COMPLETED
            )
            refused += list(done)
        assert {each.result().code for each in refused} == {503}
        assert all(int(each.result().headers["Retry-After"]) >= 1 for each in refused)
        assert [(await fetch("/plain")).body for _ in range(5)] == [b"plain"] * 5
        state = executor.state()
        assert (state["busy"], state["queued"]) == (WORKERS, QUEUE)
        go.set()
        served = [await each for each in requests if each not in refused]
        assert [json.loads(each.body) for each in served] == [{"waited": True}] * (WORKERS + QUEUE)
        assert executor.counters()["refused"] == len(refused)
        # It has room again.
        assert (await fetch("/blocking")).code == 200
        # The last thread completes its future before it is done with it.
        await until(lambda: executor.idle)
        client.close()
        server.stop()
        await server.close_all_connections()
        await executor.close(PATIENCE)

    executor = ThreadExecutor("overloaded", workers=WORKERS, queue=QUEUE, full="reject")
    run(main())
