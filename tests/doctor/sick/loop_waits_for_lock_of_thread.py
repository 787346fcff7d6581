"""A thread has a lock and waits for the loop; a callback of the loop wants the lock."""

# under: asyncio
# also: loop-blocked-waiting

import asyncio
import threading


class Store:
    def __init__(self, loop):
        self.lock = threading.RLock()
        self.loop = loop
        self.value = 0

    async def read(self):
        return self.value

    def synchronise(self, begun):
        with self.lock:
            begun.set()
            self.value = asyncio.run_coroutine_threadsafe(self.read(), self.loop).result()

    def increase(self):
        with self.lock:  # finding: loop-waits-for-itself
            self.value += 1


async def main():
    store = Store(asyncio.get_running_loop())
    begun = threading.Event()
    threading.Thread(target=store.synchronise, args=(begun,), daemon=True).start()
    while not begun.is_set():
        await asyncio.sleep(0.01)
    store.increase()


if __name__ == "__main__":
    asyncio.run(main())
