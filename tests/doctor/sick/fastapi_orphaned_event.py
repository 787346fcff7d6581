"""A FastAPI endpoint waits for the end of a job, which fails, and catches its error, before it has said so."""

# under: asyncio

import asyncio
import logging
import socket
import threading
import urllib.request
from dataclasses import dataclass, field

import uvicorn
from fastapi import FastAPI

app = FastAPI()


@dataclass
class Job:
    size: int
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    scale: float = 0.0


async def resize(job):
    try:
        await asyncio.sleep(0.05)
        job.scale = 100 / job.size
        job.finished.set()
    except ZeroDivisionError:
        logging.exception("can't resize")


@app.get("/resize/{size}")
async def wait_for_job(size: int):
    job = Job(size)
    task = asyncio.create_task(resize(job))
    await job.finished.wait()  # finding: future-orphaned
    return {"scale": job.scale, "done": task.done()}


def visit(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/resize/0", timeout=60) as response:
        print(response.read())


if __name__ == "__main__":
    sock = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=visit, args=(sock.getsockname()[1],), daemon=True).start()
    uvicorn.Server(uvicorn.Config(app, loop="auto")).run([sock])
