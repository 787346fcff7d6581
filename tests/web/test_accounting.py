"""Where the time of requests goes, as it is counted by route."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.doctor.places import frames_of
from eyewall.guard.limits.requestlimit import RequestLimit
from eyewall.loop import gen
from eyewall.web import Application, RequestHandler, accounting, dispatch, stream_request_body, url
from eyewall.web.accounting import BLOCKING, CELLS, OTHER, SUSPENDED, UNMATCHED, Account, Steps
from eyewall.web.errors import HTTPError
from eyewall.web.transforms import OutputTransform

from ..waiting import until
from .serving import conversing, fetch, serving


@pytest.fixture(autouse=True)
def _counting() -> Iterator[None]:
    dispatch.keep_accounts(True)
    accounting.forget()
    yield
    dispatch.keep_accounts(False)
    accounting.forget()


def account(route: str) -> Account:
    [found] = [each for each in accounting.accounts() if each.route == route]
    return found


def counted(route: str) -> list[tuple[str, int, int]]:
    return [(each.method, each.status, each.count) for each in account(route).cells()]


# -- the arithmetic -----------------------------------------------------------------------------------------


def test_a_request_that_never_waits_runs_all_the_time() -> None:
    one = Account("/", "Handler")
    one.note("GET", 200, 100.02, 100.0, 0.0, 0.0, None)
    one.note("GET", 200, 100.0 + 2 * BLOCKING, 100.0, 0.0, 0.0, None)
    assert one.running == pytest.approx(0.02)
    assert one.blocking == pytest.approx(2 * BLOCKING)
    assert (one.count, one.suspended, one.queued, one.receiving) == (2, 0, 0.0, 0.0)


def test_waiting_for_a_place_and_for_content_is_no_running() -> None:
    one = Account("/", "Handler")
    one.note("POST", 200, 105.01, 100.0, 105.0, 2.0, None)
    assert (one.queued, one.receiving) == (2.0, 3.0)
    assert one.running == pytest.approx(0.01)


def noted(one: Account, seconds: float, status: int = 200) -> bool:
    """Counts a request that never waits, as a dispatch does. Returns whether it was timed."""
    if one.likens("GET", status):
        return False
    one.note("GET", status, 100.0 + seconds, 100.0, 0.0, 0.0, None)
    return True


def test_of_very_many_quick_requests_one_of_some_is_timed() -> None:
    one = Account("/", "Handler")
    assert all(noted(one, 0.0002) for _ in range(accounting.EXACT))
    # The last of those that are all timed stands for some more.
    timed = [noted(one, 0.0004) for _ in range(3 * accounting.OF)]
    assert timed == [*[False] * (accounting.OF - 1), True] * 3
    [cell] = one.cells()
    assert one.count == cell.count == sum(cell.buckets) == accounting.EXACT + 3 * accounting.OF
    like_the_first = accounting.EXACT + accounting.OF - 1
    assert one.running == pytest.approx(0.0002 * like_the_first + 0.0004 * (2 * accounting.OF + 1))
    assert cell.seconds == pytest.approx(one.running)
    accounting.fill_budgets()
    # Filled are those of accounts that are known by their name.
    assert not one.exact


def test_whoever_is_another_is_timed() -> None:
    one = Account("/", "Handler")
    one.exact = 0
    assert noted(one, 0.0001)
    assert not noted(one, 0.0001)
    # Another status; and then the first one again, which is still known.
    assert noted(one, 0.0001, 404)
    assert noted(one, 0.0001)
    assert not noted(one, 0.0001)


def test_a_request_that_takes_long_stands_for_itself() -> None:
    one = Account("/", "Handler")
    one.exact = 0
    assert all(noted(one, accounting.QUICK) for _ in range(20))
    # Nor does one that has waited for a place stand for others.
    one.note("GET", 200, 100.0001, 100.0, 0.0, 0.00005, None)
    assert noted(one, 0.0001)
    assert not noted(one, 0.0001)


@given(st.lists(st.tuples(st.floats(0, 0.002), st.sampled_from((200, 304)), st.booleans()), max_size=200))
def test_each_is_counted_once(requests: list[tuple[float, int, bool]]) -> None:
    one = Account("/", "Handler")
    one.exact = 3
    for number, (seconds, status, waits) in enumerate(requests, 1):
        if waits:
            one.note("GET", status, 100.0 + seconds, 100.0, 0.0, 0.0, SUSPENDED)
        else:
            noted(one, seconds, status)
        # At any time, also while some are noted that are not in the sums yet.
        cells = one.cells()
        assert one.count == sum(cell.count for cell in cells) == number
        assert all(sum(cell.buckets) == cell.count for cell in cells)
        parts = one.running + one.blocking + one.suspended_time
        assert parts == pytest.approx(sum(cell.seconds for cell in cells))


def test_a_clock_that_is_set_back_makes_nothing_negative() -> None:
    one = Account("/", "Handler")
    one.note("GET", 200, 50.0, 100.0, 0.0, 0.0, None)
    one.note("GET", 200, 50.0, 100.0, 60.0, 1.0, SUSPENDED)
    assert min(one.running, one.blocking, one.queued, one.receiving, one.suspended_time) >= 0.0


@given(
    seconds=st.floats(0, 1000),
    queued=st.floats(0, 1000),
    received=st.floats(0, 1000),
    plain=st.booleans(),
)
def test_the_parts_are_the_whole(seconds: float, queued: float, received: float, plain: bool) -> None:
    one = Account("/", "Handler")
    began = 1e6
    ready = began + queued + received if received else 0.0
    end = began + queued + received + seconds
    one.note("GET", 200, end, began, ready, queued, None if plain else SUSPENDED)
    parts = one.queued + one.receiving + one.running + one.blocking + one.suspended_time
    assert parts == pytest.approx(end - began, abs=1e-6)
    [cell] = one.cells()
    assert cell.seconds == pytest.approx(end - began)
    assert sum(cell.buckets) == cell.count == 1


class Coro:
    """A coroutine whose steps take as long as they are told to."""

    def __init__(self, clock: list[float], *steps: float) -> None:
        self._clock, self._steps = clock, list(steps)

    def send(self, value: object) -> None:
        self._clock[0] += self._steps.pop(0)
        if not self._steps:
            raise StopIteration


def test_the_steps_of_a_request_that_waits() -> None:
    clock = [100.0]
    steps = Steps(Coro(clock, 0.01, 0.25, 0.02), lambda: clock[0])
    steps.send(None)
    clock[0] += 5.0
    steps.send(None)
    clock[0] += 1.0
    with pytest.raises(StopIteration):
        steps.send(None)
    one = Account("/", "Handler")
    # It was made 0.005 s after the head had come.
    one.note("GET", 200, clock[0], 99.995, 0.0, 0.0, steps)
    assert one.measured_running == pytest.approx(0.005 + 0.01 + 0.02)
    assert one.measured_blocking == pytest.approx(0.25)
    assert one.measured_time == one.suspended_time == pytest.approx(6.285)
    assert (one.measured, one.suspended) == (1, 1)


def test_a_response_in_the_middle_of_a_step() -> None:
    clock = [100.0]
    one = Account("/", "Handler")

    class Answering:
        def send(self, value: object) -> None:
            clock[0] += 0.03
            one.note("GET", 200, clock[0], 100.0, 0.0, 0.0, steps)
            clock[0] += 1.0

    steps = Steps(Answering(), lambda: clock[0])
    steps.send(None)
    assert one.measured_running == pytest.approx(0.03)
    assert one.measured_blocking == 0.0


@pytest.mark.parametrize("method", ["BREW", "get"])
def test_methods_that_there_are_not_count_together(method: str) -> None:
    one = Account("/", "Handler")
    one.note(method, 405, 1.0, 1.0, 0.0, 0.0, None)
    one.note("LINK", 405, 1.0, 1.0, 0.0, 0.0, None)
    assert [(each.method, each.count) for each in one.cells()] == [(OTHER, 2)]


def test_statuses_have_a_bound() -> None:
    one = Account("/", "Handler")
    for status in range(200, 200 + 2 * CELLS):
        one.note("GET", status, 1.0, 1.0, 0.0, 0.0, None)
    cells = one.cells()
    assert len(cells) == CELLS + 1
    assert (cells[-1].method, cells[-1].status, cells[-1].count) == (OTHER, 0, CELLS)


def test_routes_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounting, "ROUTES", 2)

    class Route:
        account = None

        def __init__(self, label: str) -> None:
            self.label = label

    names = [
        accounting.account_for(Route(label), RequestHandler).route for label in ("/a", "/b", "/c", "/d", "/a")
    ]
    assert names == ["/a", "/b", OTHER, OTHER, "/a"]


# -- requests -----------------------------------------------------------------------------------------------


class Plain(RequestHandler):
    def get(self, *args: str) -> None:
        self.write("plain")

    def post(self, *args: str) -> None:
        self.set_status(201)


class Never(RequestHandler):
    async def get(self) -> None:
        self.write("at once")


class Waits(RequestHandler):
    async def get(self) -> None:
        await asyncio.sleep(0)
        self.write("later")


class Later(RequestHandler):
    """Is finished by a callback, as Tornado's handlers once were."""

    def get(self) -> None:
        self._auto_finish = False
        asyncio.get_running_loop().call_soon(self.finish, "then")


class Fails(RequestHandler):
    async def get(self) -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    def log_exception(self, *args: Any) -> None:
        pass


@stream_request_body
class Upload(RequestHandler):
    def data_received(self, chunk: bytes) -> None:
        pass

    def put(self) -> None:
        self.write("taken")


class Prepared(RequestHandler):
    @gen.coroutine
    def prepare(self) -> Any:
        self.redirect("/plain")
        yield from ()


class Refusing(OutputTransform):
    """Fails before the handler is asked for anything."""

    def __init__(self, request: Any) -> None:
        if request.path != "/plain":
            raise HTTPError(400)


ROUTES: list[Any] = [
    (r"/plain/?(.*)", Plain),
    (r"/never", Never),
    (r"/waits", Waits),
    (r"/later", Later),
    (r"/fails", Fails),
    (r"/upload", Upload),
]


def test_requests_are_counted_by_the_pattern_of_their_route(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(Application(ROUTES)) as port:
            for path in (
                "/plain",
                "/plain/1",
                "/plain/2",
                "/nowhere",
                "/never",
                "/waits",
                "/later",
                "/fails",
            ):
                await fetch(port, path)
            await fetch(port, "/upload", "PUT", body=b"content")
            await fetch(port, "/plain", "POST", body=b"a=b")
        assert counted(r"/plain/?(.*)") == [("GET", 200, 3), ("POST", 201, 1)]
        assert counted(UNMATCHED) == [("GET", 404, 1)]
        for route, status in (("/never", 200), ("/waits", 200), ("/later", 200), ("/fails", 500)):
            assert counted(route) == [("GET", status, 1)], route
        assert counted("/upload") == [("PUT", 200, 1)]
        assert account("/waits").handler == "Waits"

    run(main())


def test_a_request_is_counted_whose_response_is_finished_before_anything_waits(
    run: Callable[..., Any],
) -> None:
    async def main() -> None:
        async with serving(Application([*ROUTES, (r"/prepared", Prepared)])) as port:
            await fetch(port, "/prepared")
        async with serving(Application(ROUTES, transforms=[Refusing])) as port:
            await fetch(port, "/waits")
            await fetch(port, "/upload", "PUT", body=b"content")
        assert counted("/prepared") == [("GET", 302, 1)]
        assert counted("/waits") == [("GET", 400, 1)]
        assert counted("/upload") == [("PUT", 400, 1)]

    run(main())


def test_which_requests_have_waited(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(Application(ROUTES)) as port:
            for path in ("/plain", "/never", "/waits", "/later", "/fails"):
                await fetch(port, path)
        suspended = {each.route: (each.suspended, each.measured) for each in accounting.accounts()}
        assert suspended == {
            r"/plain/?(.*)": (0, 0),
            "/never": (0, 0),
            "/waits": (1, 1),
            # Nobody knows what it did until somebody finished it.
            "/later": (1, 0),
            "/fails": (1, 1),
        }
        for each in accounting.accounts():
            assert min(each.running, each.measured_running, each.measured_time) >= 0.0
            assert each.measured_running + each.measured_blocking <= each.measured_time + 1e-6

    run(main())


def test_the_budget_is_what_is_measured(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(Application(ROUTES)) as port:
            for _ in range(accounting.BUDGET + 3):
                await fetch(port, "/waits")
            assert (account("/waits").suspended, account("/waits").measured) == (8, accounting.BUDGET)
            accounting.fill_budgets(1)
            await fetch(port, "/waits")
            await fetch(port, "/waits")
            assert (account("/waits").suspended, account("/waits").measured) == (10, accounting.BUDGET + 1)

    run(main())


def test_requests_that_are_not_timed_are_counted(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(Application(ROUTES)) as port:
            await fetch(port, "/plain")
            one = account("/plain/?(.*)")
            assert one.exact == accounting.EXACT - 1
            one.exact = 0
            # However long requests take here: the last one was quick.
            one.note("GET", 200, 100.0 + 2**-14, 100.0, 0.0, 0.0, None)
            [cell] = one.cells()
            before = cell.seconds
            for _ in range(accounting.OF - 1):
                await fetch(port, "/plain")
            [cell] = one.cells()
            assert cell.count == sum(cell.buckets) == accounting.OF + 1
            assert cell.seconds - before == pytest.approx((accounting.OF - 1) * 2**-14)
            accounting.fill_budgets()
            assert one.exact == accounting.EXACT

    run(main())


def test_a_place_that_is_waited_for_counts_as_queued(run: Callable[..., Any]) -> None:
    waiting: list[asyncio.Future[str]] = []

    class Slow(RequestHandler):
        async def get(self) -> None:
            waiting.append(asyncio.get_running_loop().create_future())
            self.write(await waiting[-1])

    async def main() -> None:
        waiting.clear()
        limit = RequestLimit("slow", 1, queue=1, patience=60)
        async with serving(Application([url("/slow", Slow).limited(limit)])) as port:
            asked = [asyncio.ensure_future(fetch(port, "/slow")) for _ in range(2)]
            await until(lambda: waiting and limit.gate.waiting == 1)
            # Time that can be told from none.
            await asyncio.sleep(0.01)
            waiting[0].set_result("one")
            await until(lambda: len(waiting) == 2)
            waiting[1].set_result("two")
            await asyncio.gather(*asked)
        slow = account("/slow")
        assert slow.count == 2
        assert 0.005 <= slow.queued <= sum(cell.seconds for cell in slow.cells())

    run(main())


def test_nothing_is_counted_when_nobody_wants_to_know(run: Callable[..., Any]) -> None:
    dispatch.keep_accounts(False)

    async def main() -> None:
        async with serving(Application(ROUTES)) as port:
            for path in ("/plain", "/waits", "/nowhere"):
                await fetch(port, path)
        assert accounting.accounts() == []

    run(main())


def test_the_chain_of_awaits_of_a_measured_request(run: Callable[..., Any]) -> None:
    standing: list[asyncio.Future[None]] = []

    class Stands(RequestHandler):
        async def get(self) -> None:
            standing.append(asyncio.get_running_loop().create_future())
            await standing[-1]

    async def main() -> None:
        standing.clear()
        async with conversing(Application([("/", Stands)])) as client:
            asked = asyncio.ensure_future(client.ask("GET", "/"))
            await until(lambda: standing)
            [task] = dispatch.running()
            assert isinstance(task.get_coro(), Steps)
            frames, end = frames_of(task)
            assert [frame.f_code.co_name for frame in frames] == ["complete", "get"]
            assert end is standing[0]
            assert "complete" in repr(task)
            standing[0].set_result(None)
            assert (await asked).status == 200

    run(main())


def test_a_measured_request_that_is_cancelled(run: Callable[..., Any]) -> None:
    class Stands(RequestHandler):
        async def get(self) -> None:
            await asyncio.get_running_loop().create_future()

    async def main() -> None:
        async with conversing(Application([("/", Stands)])) as client:
            asked = asyncio.ensure_future(client.ask("GET", "/"))
            await until(lambda: dispatch.running())
            [task] = dispatch.running()
            task.cancel()
            assert (await asked).status == 500
            await asyncio.wait([task])
            assert task.cancelled()
        assert counted("/") == [("GET", 500, 1)]

    run(main())
