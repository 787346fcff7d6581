"""Groups of tasks that wait for what only they could bring about; and groups that somebody else lets go on."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from eyewall.doctor.finding import Finding
from eyewall.doctor.growth.queues import _Followed
from eyewall.loop import queues

from ..lines import line_of
from ..patient import turns
from .looking import Looking, looking
from .test_orphans import HOLDERS, Box, let_go, own_signal

Coro = Coroutine[Any, Any, Any]


# -- circles --------------------------------------------------------------------------------------------


async def passes_on(inbox: Any, outbox: Any) -> None:
    item = await inbox.get()
    await outbox.put(item)


async def sets(wanted: Any, mine: Any) -> None:
    await wanted.wait()
    mine.set()


async def notifies(wanted: asyncio.Condition, mine: asyncio.Condition) -> None:
    async with wanted:
        await wanted.wait()
    async with mine:
        mine.notify_all()


async def completes(wanted: asyncio.Future[None], mine: asyncio.Future[None]) -> None:
    await wanted
    mine.set_result(None)


async def produces(queue: asyncio.Queue[int], complete: asyncio.Event) -> None:
    for number in range(10):
        await queue.put(number)
    complete.set()


async def consumes_all(queue: asyncio.Queue[int], complete: asyncio.Event) -> None:
    await complete.wait()
    while not queue.empty():
        queue.get_nowait()


async def keeps_locked(lock: asyncio.Lock, flushed: asyncio.Event) -> None:
    async with lock:
        await flushed.wait()


async def locks_later(lock: asyncio.Lock, flushed: asyncio.Event) -> None:
    async with lock:
        flushed.set()


def two_queues() -> list[Coro]:
    first, second = asyncio.Queue[int](), asyncio.Queue[int]()
    return [passes_on(first, second), passes_on(second, first)]


def two_queues_of_tornado() -> list[Coro]:
    first, second = (importlib.import_module("tornado.queues").Queue(1) for _ in range(2))
    return [passes_on(first, second), passes_on(second, first)]


def two_queues_of_eyewall() -> list[Coro]:
    first, second = queues.Queue[int](1), queues.Queue[int](1)
    return [passes_on(first, second), passes_on(second, first)]


def three_events() -> list[Coro]:
    first, second, third = (asyncio.Event() for _ in range(3))
    return [sets(first, second), sets(second, third), sets(third, first)]


def two_conditions() -> list[Coro]:
    first, second = asyncio.Condition(), asyncio.Condition()
    return [notifies(first, second), notifies(second, first)]


def two_futures() -> list[Coro]:
    loop = asyncio.get_running_loop()
    first, second = loop.create_future(), loop.create_future()
    return [completes(first, second), completes(second, first)]


def full_queue() -> list[Coro]:
    queue, complete = asyncio.Queue[int](3), asyncio.Event()
    return [produces(queue, complete), consumes_all(queue, complete)]


def lock_and_event() -> list[Coro]:
    lock, flushed = asyncio.Lock(), asyncio.Event()
    return [keeps_locked(lock, flushed), locks_later(lock, flushed)]


def in_an_object() -> list[Coro]:
    box = Box()
    box.content = {"first": asyncio.Event(), "second": asyncio.Event()}

    async def one(box: Box) -> None:
        await box.content["first"].wait()
        box.content["second"].set()

    async def other(box: Box) -> None:
        await box.content["second"].wait()
        box.content["first"].set()

    return [one(box), other(box)]


def in_closures() -> list[Coro]:
    first, second = asyncio.Event(), asyncio.Event()

    async def one() -> None:
        await first.wait()
        second.set()

    async def other() -> None:
        await second.wait()
        first.set()

    return [one(), other()]


CIRCLES = [
    two_queues,
    two_queues_of_tornado,
    two_queues_of_eyewall,
    three_events,
    two_conditions,
    two_futures,
    full_queue,
    lock_and_event,
    in_an_object,
    in_closures,
]


@pytest.mark.parametrize("circle", CIRCLES)
def test_a_circle(run: Callable[..., None], circle: Callable[[], list[Coro]]) -> None:
    async def main() -> None:
        with looking() as eye:
            await eye.start(*circle())
            assert eye.after(4) == []
            [finding] = eye.after(30, looks=24)
            assert finding.rule == "wait-cycle"
            assert "wait in a circle" in finding.summary
            # Once, and by no other detector.
            assert [each.count for each in eye.after(1000, looks=24)] == [1]

    run(main())


def test_a_circle_beneath_which_much_is_in_variables(run: Callable[..., None]) -> None:
    async def main() -> None:
        plenty = [{"number": number, "thing": Box()} for number in range(400)]
        assert len(plenty) == 400
        with looking() as eye:
            await eye.start(*two_queues())
            [finding] = eye.after(30, looks=24)
            assert finding.rule == "wait-cycle"

    run(main())


def test_who_would_let_whom_go_on_is_told(run: Callable[..., None]) -> None:
    async def main() -> None:
        with looking() as eye:
            await eye.start(*two_queues())
            [finding] = eye.after(30, looks=24)
            stacks = finding.evidence.stacks
            assert "one waits for an item in a queue, which only two would bring about" in stacks
            assert stacks["two would, for one, at"] == (line_of(passes_on, "outbox.put"),)
            assert finding.place == line_of(passes_on, "inbox.get")

    run(main())


def test_a_long_circle(run: Callable[..., None]) -> None:
    found: list[Finding] = []

    async def main() -> None:
        with looking() as eye:
            several = [asyncio.Queue[int]() for _ in range(60)]
            await eye.start(*map(passes_on, several, several[1:] + several[:1]))
            del several
            found.extend(eye.after(8))

    run(main())
    [finding] = found
    assert finding.rule == "wait-cycle"
    assert finding.evidence.counts == {"tasks": 60}
    # Who waits, and who would end that, of some of them.
    assert len(finding.evidence.stacks) == 2 * 10


def test_what_the_doctor_follows_itself(run: Callable[..., None]) -> None:
    found: list[Finding] = []

    async def main() -> None:
        with looking() as eye:
            first, second = asyncio.Queue[int](), asyncio.Queue[int]()
            followed = [_Followed(first), _Followed(second)]
            await eye.start(passes_on(first, second), passes_on(second, first))
            del first, second
            found.extend(eye.after(8))
            del followed

    run(main())
    assert [each.rule for each in found] == ["wait-cycle"]


def test_what_is_gathered_with_one_that_gives_up(run: Callable[..., None]) -> None:
    found: list[Finding] = []

    async def gathers() -> None:
        async def gives_up() -> None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 100)

        await asyncio.gather(*two_queues(), gives_up())

    async def main() -> None:
        with looking() as eye:
            await eye.start(gathers())
            found.extend(eye.after(8))

    run(main())
    [finding] = found
    assert finding.rule == "wait-cycle"


@pytest.mark.parametrize("circle", CIRCLES)
def test_a_circle_behind_what_is_gathered(run: Callable[..., None], circle: Callable[[], list[Coro]]) -> None:
    async def works() -> None:
        await asyncio.gather(*circle())

    async def main() -> None:
        with looking() as eye:
            await eye.start(works())
            [finding] = eye.after(30, looks=24)
            assert finding.rule == "wait-cycle"

    run(main())


def test_whoever_made_it_and_has_forgotten_it(run: Callable[..., None]) -> None:
    async def begins(eye: Looking) -> None:
        first, second = asyncio.Event(), asyncio.Event()
        both = [first, second]
        await eye.start(sets(first, second), sets(second, first))
        await asyncio.sleep(3600)
        print(len(both) if both is None else "")

    async def only_begins(eye: Looking) -> None:
        first, second = asyncio.Event(), asyncio.Event()
        await eye.start(sets(first, second), sets(second, first))
        await asyncio.sleep(3600)

    async def main() -> None:
        with looking() as eye:
            task = asyncio.ensure_future(begins(eye))
            await turns(20)
            # It may still do something with the list.
            assert eye.after(100, looks=24) == []
            task.cancel()
            await asyncio.wait([task])
        with looking() as eye:
            task = asyncio.ensure_future(only_begins(eye))
            await turns(20)
            [finding] = eye.after(100, looks=24)
            assert finding.rule == "wait-cycle"
            task.cancel()
            await asyncio.wait([task])

    run(main())


# -- in vain --------------------------------------------------------------------------------------------


async def waits_at(thing: Any) -> None:
    async with thing:
        await thing.wait()


async def comes_to(barrier: asyncio.Barrier) -> None:
    await barrier.wait()


async def takes(queue: Any) -> None:
    while True:
        await queue.get()


def nobody_notifies() -> list[Coro]:
    condition = asyncio.Condition()
    return [waits_at(condition), waits_at(condition)]


def one_too_few() -> list[Coro]:
    barrier = asyncio.Barrier(3)
    return [comes_to(barrier), comes_to(barrier)]


def nobody_puts() -> list[Coro]:
    queue = asyncio.Queue[int]()
    return [takes(queue), takes(queue)]


def nobody_puts_tornado() -> list[Coro]:
    queue = queues.Queue[int]()
    return [takes(queue), takes(queue)]


IN_VAIN = [nobody_notifies, one_too_few, nobody_puts, nobody_puts_tornado]


@pytest.mark.parametrize("group", IN_VAIN)
def test_those_are_missed_for_whose_end_somebody_waits(
    run: Callable[..., None], group: Callable[[], list[Coro]]
) -> None:
    async def works() -> None:
        async with asyncio.TaskGroup() as tasks:
            for each in group():
                tasks.create_task(each)

    async def main() -> None:
        with looking() as eye:
            await eye.start(works())
            [finding] = eye.after(30, looks=24)
            assert finding.rule == "future-orphaned"
            assert finding.summary.startswith("2 tasks wait for ")
            assert [each.count for each in eye.after(1000, looks=24)] == [1]

    run(main())


@pytest.mark.parametrize("group", IN_VAIN)
def test_others_may_wait_until_they_are_cancelled(
    run: Callable[..., None], group: Callable[[], list[Coro]]
) -> None:
    async def main() -> None:
        with looking() as eye:
            await eye.start(*group())
            assert eye.after(1000, looks=24) == []

    run(main())


# -- somebody else has it -------------------------------------------------------------------------------


@pytest.mark.parametrize("hold", HOLDERS)
def test_a_circle_that_somebody_may_break(run: Callable[..., None], hold: Callable[[Any], None]) -> None:
    class Settable(asyncio.Event):
        def set_result(self, _: object) -> None:
            self.set()

        def done(self) -> bool:
            return self.is_set()

    async def works() -> None:
        first, second = Settable(), asyncio.Event()
        hold(first)
        await asyncio.gather(sets(first, second), sets(second, first))

    async def main() -> None:
        with looking() as eye:
            await eye.start(works())
            assert eye.after(1000, looks=24) == []
            let_go()

    with own_signal():
        run(main())


def test_one_that_goes_on_will_use_it(run: Callable[..., None]) -> None:
    async def begins(eye: Looking) -> None:
        first, second = asyncio.Event(), asyncio.Event()
        await eye.start(sets(first, second), sets(second, first))
        await asyncio.sleep(3600)
        first.set()

    async def main() -> None:
        with looking() as eye:
            task = asyncio.ensure_future(begins(eye))
            await turns(20)
            assert eye.after(1000, looks=24) == []
            task.cancel()
            await asyncio.wait([task])

    run(main())


def test_a_timeout_is_a_way_out(run: Callable[..., None]) -> None:
    async def limited() -> None:
        first, second = asyncio.Event(), asyncio.Event()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3600):
                await asyncio.gather(sets(first, second), sets(second, first))

    async def one_of_them() -> None:
        first, second = asyncio.Event(), asyncio.Event()
        await asyncio.gather(asyncio.wait_for(sets(first, second), 3600), sets(second, first))

    async def main() -> None:
        with looking() as eye:
            await eye.start(limited(), one_of_them())
            assert eye.after(1000, looks=24) == []

    run(main())


def test_stages_that_have_nothing_more_to_do(run: Callable[..., None]) -> None:
    async def stage(mine: asyncio.Queue[int], other: asyncio.Queue[int]) -> None:
        while True:
            left = await mine.get()
            if left:
                other.put_nowait(left - 1)

    async def main_of_it() -> None:
        first, second = asyncio.Queue[int](), asyncio.Queue[int]()
        stages = [asyncio.ensure_future(stage(first, second)), asyncio.ensure_future(stage(second, first))]
        # One of them may never have had anything to do.
        stages.append(asyncio.ensure_future(stage(second, first)))
        first.put_nowait(4)
        await asyncio.sleep(3600)

    async def main() -> None:
        with looking() as eye:
            await eye.start(main_of_it())
            await turns(30)
            assert eye.after(1000, looks=24) == []
            for each in asyncio.all_tasks():
                if each is not asyncio.current_task():
                    each.cancel()
            await turns(5)

    run(main())


def test_a_circle_that_is_told_of_otherwise(run: Callable[..., None]) -> None:
    async def locks(mine: asyncio.Lock, other: asyncio.Lock) -> None:
        async with mine:
            await asyncio.sleep(0)
            async with other:
                pass

    async def works() -> None:
        first, second = asyncio.Lock(), asyncio.Lock()
        await asyncio.gather(locks(first, second), locks(second, first))

    async def main() -> None:
        with looking() as eye:
            await eye.start(works())
            assert [each.rule for each in eye.after(100, looks=100)] == ["lock-deadlock"]

    run(main())


# -- variables of modules -------------------------------------------------------------------------------

# Names that nothing else in this process has: whoever mentions one may use what has it.
PROGRAM = """
import asyncio

asked_them = asyncio.Queue()
told_them = asyncio.Queue()


async def asks():
    token = await told_them.get()
    await asked_them.put(token)


async def answers():
    question = await asked_them.get()
    await told_them.put(question)


async def main():
    await asyncio.gather(asks(), answers())
"""

#: What gives somebody else a way to one of the queues.
ALSO = {
    "a function that puts": "def push(item):\n    asked_them.put_nowait(item)\n",
    "a method": "class Handler:\n    def get(self):\n        asked_them.put_nowait(1)\n",
    "a function within": "def make():\n    def push():\n        asked_them.put_nowait(1)\n    return push\n",
    "a default": "def push(queue=asked_them):\n    queue.put_nowait(1)\n",
    "a list": "everything = [asked_them]\n",
    "another name": "other = asked_them\ndef push():\n    other.put_nowait(1)\n",
    "a string": "def push(name='asked_them'):\n    return 'asked_them'\n",
    "an argument": "def push(use):\n    use(asked_them)\n",
    "behind a wait with a timeout": (
        "async def careful():\n    try:\n        await asyncio.wait_for(asked_them.get(), 1)\n"
        "    finally:\n        asked_them.put_nowait(1)\n"
    ),
    "on the way out": (
        "async def once():\n    try:\n        await asked_them.get()\n    finally:\n        await told_them.put(1)\n"
    ),
}
#: What gives nobody a way there.
BESIDES = {
    "nothing": "",
    "one more that waits first": "async def third():\n    await asked_them.get()\n    await told_them.put(1)\n",
    "one that only asks": "def idle():\n    return asked_them.empty() and told_them.qsize()\n",
}


@contextlib.contextmanager
def _program(folder: Path, source: str) -> Iterator[ModuleType]:
    # Functions of the programs before it, which refer to each other, would still be some that can use the same names.
    gc.collect()
    path = folder / "program_of_test_together.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del sys.modules[path.stem]


def told_of(folder: Path, source: str) -> list[Finding]:
    """Returns what is told of a program of which `main` waits in vain."""

    async def main() -> list[Finding]:
        with looking() as eye, _program(folder, source) as module:
            await eye.start(module.main())
            return eye.after(40, looks=6)

    return asyncio.run(main())


def circle_in(folder: Path, source: str) -> str:
    """Returns the function in which a circle is told of, as the only finding of a program."""
    [finding] = told_of(folder, source)
    assert finding.rule == "wait-cycle"
    assert finding.place is not None
    return finding.place.function


@pytest.mark.one_build
@pytest.mark.parametrize("more", BESIDES.values(), ids=BESIDES)
def test_a_variable_of_a_module_that_nobody_else_can_use(tmp_path: Path, more: str) -> None:
    assert circle_in(tmp_path, PROGRAM + more) == "asks"


@pytest.mark.one_build
@pytest.mark.parametrize("more", ALSO.values(), ids=ALSO)
def test_a_variable_of_a_module_that_somebody_may_use(tmp_path: Path, more: str) -> None:
    assert told_of(tmp_path, PROGRAM + more) == []


@pytest.mark.one_build
def test_one_that_has_begun_and_will_use_it(tmp_path: Path) -> None:
    source = PROGRAM + "async def later():\n    await asyncio.sleep(3600)\n    await asked_them.put(1)\n"

    async def main() -> None:
        with looking() as eye, _program(tmp_path, source) as module:
            task = asyncio.ensure_future(module.later())
            del module.later
            await eye.start(module.main())
            assert eye.after(40, looks=6) == []
            task.cancel()
            await asyncio.wait([task])

    asyncio.run(main())


# -- attributes of objects ------------------------------------------------------------------------------

OBJECTS = """
import asyncio

everything = []


class Handler:
    def __init__(self):
        self.is_loaded, self.may_go = asyncio.Event(), asyncio.Event()
        self.more()

    def more(self):
        everything.append(self)

    async def get(self):
        task = asyncio.ensure_future(self.load())
        await self.is_loaded.wait()
        self.may_go.set()
        await task

    async def load(self):
        await self.may_go.wait()
        self.is_loaded.set()


async def main():
    # One handler does not set the events of another one.
    await asyncio.gather(Handler().get(), Handler().get())
"""

SET = {
    "in another method": "class Other(Handler):\n    def close(self):\n        self.may_go.set()\n",
    "from outside": "def close():\n    for each in everything:\n        each.may_go.set()\n",
    "of another one, after a wait": (
        "async def next_one(self, peer):\n    await self.is_loaded.wait()\n    peer.may_go.set()\n"
    ),
    "by its name": "def close(what):\n    getattr(everything[0], 'may_go').set()\n",
    "by one of several names": (
        "def close():\n    for name in ('is_loaded', 'may_go'):\n        getattr(everything[0], name).set()\n"
    ),
    "by any name": "def close():\n    for each in vars(everything[0]).values():\n        each.set()\n",
    "when it was cancelled": (
        "async def one_more(self):\n    try:\n        await self.is_loaded.wait()\n"
        "    finally:\n        self.may_go.set()\n"
    ),
    "after a timeout": (
        "async def one_more(self):\n    await asyncio.wait_for(self.is_loaded.wait(), 5)\n    self.may_go.set()\n"
    ),
    "handed to somebody": "def hand_over(use):\n    use(everything[0].may_go)\n",
}
NOT_SET = {
    "by nobody": "",
    "of another name": "def close():\n    everything[0].done.set()\n",
    "asked only": "def status():\n    return everything[0].may_go.is_set()\n",
    "a variable of that name": "def close(may_go):\n    may_go.set()\n",
    "a variable that has the object": "one = everything[:1]\ndef status():\n    return one[0]\nhandler = Handler()\n",
}


@pytest.mark.one_build
@pytest.mark.parametrize("more", NOT_SET.values(), ids=NOT_SET)
def test_an_attribute_that_nobody_else_uses(tmp_path: Path, more: str) -> None:
    assert circle_in(tmp_path, OBJECTS + more) == "Handler.get"


@pytest.mark.one_build
@pytest.mark.parametrize("more", SET.values(), ids=SET)
def test_an_attribute_that_somebody_may_use(tmp_path: Path, more: str) -> None:
    assert told_of(tmp_path, OBJECTS + more) == []


@pytest.mark.one_build
def test_what_an_object_has_in_a_container_is_anybodys(tmp_path: Path) -> None:
    source = OBJECTS.replace(
        "everything.append(self)", "everything.append(self); self.both = [self.may_go, self.is_loaded]"
    )

    assert told_of(tmp_path, source) == []


def _of_futures(source: str) -> str:
    """The same with futures instead of events."""
    source = source.replace("asyncio.Event()", "asyncio.get_running_loop().create_future()")
    return (
        source.replace(".wait()", "").replace(".set()", ".set_result(None)").replace(".is_set()", ".done()")
    )


@pytest.mark.one_build
@pytest.mark.parametrize("more", NOT_SET.values(), ids=NOT_SET)
def test_a_future_that_nobody_else_uses(tmp_path: Path, more: str) -> None:
    assert circle_in(tmp_path, _of_futures(OBJECTS + more)) == "Handler.get"


@pytest.mark.one_build
@pytest.mark.parametrize("more", SET.values(), ids=SET)
def test_a_future_that_somebody_may_use(tmp_path: Path, more: str) -> None:
    assert told_of(tmp_path, _of_futures(OBJECTS + more)) == []
