"""Says lines to echo_server.py and prints what comes back.
Run it: python -m eyewall.tornado examples/tornado/echo_client.py 127.0.0.1 8007 LINE..."""

import asyncio
import sys

import tornado.tcpclient


async def main(host, port, *lines):
    stream = await tornado.tcpclient.TCPClient().connect(host, int(port), timeout=10)
    for line in lines:
        await stream.write(line.encode() + b"\n")
        print((await stream.read_until(b"\n")).decode(), end="")
    stream.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
