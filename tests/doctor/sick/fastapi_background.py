"""A FastAPI application that starts a poller in its lifespan, which goes on when it is cancelled."""

# under: asyncio

import asyncio
import contextlib
import socket
import threading
import time
import urllib.request

import uvicorn
from fastapi import FastAPI


async def poll():
    while True:
        try:
            await asyncio.sleep(3600)
        except BaseException as error:  # finding: cancellation-swallowed
            print("trying again:", error)


@contextlib.asynccontextmanager
async def lifespan(app):
    app.state.poller = asyncio.create_task(poll())
    yield


app = FastAPI(lifespan=lifespan)


@app.post("/stop")
async def stop():
    app.state.poller.cancel()
    return "stopped"


def visit(port):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/stop", method="POST")
    with urllib.request.urlopen(request) as response:
        print(response.read())
    time.sleep(10)
    server.should_exit = True


if __name__ == "__main__":
    sock = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, loop="auto"))
    threading.Thread(target=visit, args=(sock.getsockname()[1],), daemon=True).start()
    server.run([sock])
