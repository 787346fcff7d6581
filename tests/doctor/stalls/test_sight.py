"""What is seen of the loop's thread."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable

from eyewall.doctor.places import stack_of
from eyewall.doctor.stalls import stack
from eyewall.doctor.stalls.sight import Answer, Began, Sight


def test_a_stack_begins_with_the_callback(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        sight = Sight(loop)
        frames = loop.create_future()

        def answers() -> None:
            sight.learn(Answer(sight.files))

        def works() -> None:
            seen = stack_of(sys._getframe())
            frames.set_result((stack.read(seen), stack.read(seen[:-1])))

        loop.call_soon(answers)
        loop.call_soon(works)
        whole, beneath = await frames
        ident = threading.get_ident()
        within = sight.within_callback(whole, ident)
        assert [each.function for each in within.places] == [works.__qualname__]
        assert within.place == whole.place
        # Beneath it there is only the line of the test that runs the loop; another thread says nothing of it.
        assert sight.within_callback(beneath, ident) == stack.EMPTY
        assert sight.within_callback(whole, ident + 1) == stack.EMPTY
        sight.close()

    run(main())


def test_a_turn_of_asyncio_says_when_it_began() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        sight = Sight(loop)
        found = loop.create_future()
        seen: list[tuple[Began | None, float]] = []

        def look() -> None:
            seen.append((sight.turn_began(), time.monotonic()))
            if len(seen) == 2:
                found.set_result(None)

        loop.call_soon(lambda: sight.learn(Answer(sight.files)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        before = time.monotonic()
        loop.call_soon(look)
        loop.call_soon(look)
        await found
        sight.close()
        (first, at), (second, _) = seen
        assert first is not None
        assert second is not None
        assert before - 0.001 <= first.at == second.at <= at
        assert (first.first, second.first) == (True, False)

    asyncio.run(main())


def test_a_loop_with_a_clock_of_its_own_does_not_say() -> None:
    class Faked(asyncio.SelectorEventLoop):
        def time(self) -> float:
            return super().time() + 1000.0

    loop = Faked()
    sight = Sight(loop)

    async def main() -> None:
        sight.learn(Answer(sight.files))
        assert sight.turn_began() is None

    loop.run_until_complete(main())
    loop.close()
    sight.close()
