"""Something of its own that takes part in the end of a process. Run it: python examples/guard/drain.py"""

import asyncio
import sys
from collections.abc import Sequence

from eyewall.guard import Deadline, process_drain
from eyewall.guard.lifecycle.drain import MESSAGES


class Outbox:
    """Messages on their way."""

    name = "outbox"
    phase = MESSAGES

    def __init__(self) -> None:
        self.waiting: list[str] = []
        process_drain.join(self)

    def pending(self) -> list[str]:
        return [f"message: {text}" for text in self.waiting]

    async def drain(self, deadline: Deadline) -> Sequence[str] | None:
        while self.waiting and deadline.remaining():
            await asyncio.sleep(0.01)
            self.waiting.pop(0)
        return self.pending()


async def main() -> None:
    outbox = Outbox()
    outbox.waiting += ["one", "two", "three"]
    report = await process_drain.run(10.0)
    print("\n".join(report.lines()), file=sys.stderr)


asyncio.run(main())
