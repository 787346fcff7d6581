"""A thread that works for the loop asks the loop for something, while the loop waits for its answer in a queue."""

# under: asyncio
# also: loop-blocked-waiting

import asyncio
import queue
import threading


class Bridge:
    def __init__(self, loop):
        self.loop = loop
        self.requests, self.replies = queue.Queue(), queue.Queue()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while (text := self.requests.get()) is not None:
            future = asyncio.run_coroutine_threadsafe(self.translate(text), self.loop)
            self.replies.put(future.result(60))

    async def translate(self, text):
        await asyncio.sleep(0.01)
        return text.upper()

    def ask(self, text):
        self.requests.put(text)
        return self.replies.get(timeout=60)  # finding: loop-waits-for-itself


async def main():
    bridge = Bridge(asyncio.get_running_loop())
    await asyncio.sleep(0.1)
    print(bridge.ask("hello"))


if __name__ == "__main__":
    asyncio.run(main())
