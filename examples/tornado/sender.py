"""Sends a file to receiver.py, piece by piece.
Run it: python -m eyewall.tornado examples/tornado/sender.py http://127.0.0.1:8888/files/NAME FILE"""

import asyncio
import sys

import tornado.escape
import tornado.httpclient


async def send(url, file):
    async def pieces(write):
        while piece := await asyncio.to_thread(file.read, 256 * 1024):
            # Waits where the server is slower than the disk.
            await write(piece)

    client = tornado.httpclient.AsyncHTTPClient()
    response = await client.fetch(url, method="PUT", body_producer=pieces, request_timeout=3600)
    return tornado.escape.json_decode(response.body)


if __name__ == "__main__":
    with open(sys.argv[2], "rb") as file:
        answer = asyncio.run(send(sys.argv[1], file))
    print(answer["name"], answer["size"], answer["sha256"])
