"""What is seen of the loop's thread."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable

from eyewall.doctor.places import stack_of
from eyewall.doctor.stalls import stack
from eyewall.doctor.stalls.sight import Answer, Sight


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
