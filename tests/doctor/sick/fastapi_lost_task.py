"""A FastAPI endpoint hands work to a task that fails after the response."""

# under: asyncio

import asyncio
import socket
import threading
import urllib.request

import uvicorn
from fastapi import FastAPI

app = FastAPI()
jobs = []


async def resize(size):
    await asyncio.sleep(0.05)
    return 100 / size  # finding: task-exception-unread


@app.get("/resize/{size}")
async def start(size: int):
    jobs.append(asyncio.create_task(resize(size)))
    return {"started": len(jobs)}


def visit(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/resize/0") as response:
        print(response.read())


if __name__ == "__main__":
    sock = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=visit, args=(sock.getsockname()[1],), daemon=True).start()
    uvicorn.Server(uvicorn.Config(app, loop="auto")).run([sock])
