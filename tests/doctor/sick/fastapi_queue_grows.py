"""A FastAPI service gives each reader of events a queue; those of readers that have left are there still, and grow."""

# under: asyncio

import asyncio

from fastapi import FastAPI

app = FastAPI()
readers = []


@app.get("/subscribe")
async def subscribe():
    queue = asyncio.Queue()
    readers.append(queue)
    return {"readers": len(readers)}


@app.post("/publish")
async def publish():
    for reader in readers:
        for _ in range(10):
            reader.put_nowait("news")  # finding: queue-grows
    return {}


async def request(method, path):
    """What a server does with a request."""
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
    }

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        pass

    await app(scope, receive, send)


async def main():
    await request("GET", "/subscribe")
    for _ in range(400):
        await request("POST", "/publish")
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main())
