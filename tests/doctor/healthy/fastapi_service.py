"""A FastAPI service under uvicorn: a lifespan, requests, a background task, a stream, and an orderly end."""

# under: asyncio

import asyncio
import concurrent.futures
import contextlib
import socket
import threading
import urllib.request

import uvicorn
from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse

log = []


async def tick():
    while True:
        await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def lifespan(app):
    task = asyncio.create_task(tick())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def home(tasks: BackgroundTasks):
    tasks.add_task(log.append, "home")
    return {"visits": len(log)}


@app.get("/thread")
def in_thread():
    return sum(range(1000))


@app.get("/stream")
async def stream():
    async def lines():
        for number in range(10):
            yield f"{number}\n"
            await asyncio.sleep(0.1)

    return StreamingResponse(lines())


def visit(url):
    with urllib.request.urlopen(url) as response:
        return response.read()


def visit_all(port):
    paths = ("", "thread", "stream") * 20
    with concurrent.futures.ThreadPoolExecutor(10) as executor:
        list(executor.map(visit, (f"http://127.0.0.1:{port}/{path}" for path in paths)))
    server.should_exit = True


if __name__ == "__main__":
    sock = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, loop="auto", log_level="warning"))
    visitors = threading.Thread(target=visit_all, args=(sock.getsockname()[1],))
    visitors.start()
    server.run([sock])
    visitors.join()
