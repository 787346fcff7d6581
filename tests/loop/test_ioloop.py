from __future__ import annotations

import asyncio
import contextvars
import datetime
import fractions
import os
import socket
import threading
import time
import warnings
from collections.abc import Callable
from concurrent import futures

import pytest

from eyewall.base import probe
from eyewall.base.util import Configurable
from eyewall.loop.aioloop import (
    AsyncIOLoop,
    AsyncIOMainLoop,
    to_asyncio_future,
    to_tornado_future,
)
from eyewall.loop.belongings import belongs
from eyewall.loop.concurrent import Future
from eyewall.loop.ioloop import IOLoop
from eyewall.loop.timeouts import sleep
from eyewall.loop.yielded import BadYieldError


def turns(loop, count=3):
    """Runs `loop` for some turns."""

    async def wait():
        for _ in range(count):
            await asyncio.sleep(0)

    loop.asyncio_loop.run_until_complete(wait())


@pytest.fixture
def nothing_current():
    before = IOLoop.current(instance=False)
    assert before is None
    yield
    asyncio.set_event_loop(None)


@pytest.mark.usefixtures("nothing_current")
class TestCurrent:
    def test_none(self):
        assert IOLoop.current(instance=False) is None

    def test_made_and_kept(self):
        loop = IOLoop.current()
        assert type(loop) is AsyncIOMainLoop
        assert IOLoop.current() is loop
        assert IOLoop.instance() is loop
        assert asyncio.get_event_loop() is loop.asyncio_loop
        loop.close()

    def test_of_a_running_loop(self, run):
        async def main():
            assert IOLoop.current(instance=False) is None
            loop = IOLoop.current()
            assert loop.asyncio_loop is asyncio.get_running_loop()
            assert IOLoop.current(instance=False) is loop
            await asyncio.sleep(0)
            assert IOLoop.current() is loop
            return loop

        assert run(main()) is not run(main())

    def test_of_a_loop_that_was_set(self, new_loop):
        inner = new_loop()
        asyncio.set_event_loop(inner)
        assert IOLoop.current(instance=False) is None
        assert IOLoop.current().asyncio_loop is inner
        IOLoop.current().close()
        assert inner.is_closed()

    def test_constructor_makes_current(self):
        loop = IOLoop()
        assert type(loop) is AsyncIOLoop
        assert IOLoop.current() is loop
        assert loop.is_current
        other = IOLoop(make_current=False)
        assert IOLoop.current() is loop
        other.close()
        loop.close()
        assert IOLoop.current(instance=False) is None

    def test_closing_restores_what_was_current(self, new_loop):
        inner = new_loop()
        asyncio.set_event_loop(inner)
        loop = IOLoop()
        assert asyncio.get_event_loop() is loop.asyncio_loop
        loop.close()
        assert asyncio.get_event_loop() is inner
        inner.close()

    def test_closing_leaves_a_third_one_alone(self, new_loop):
        loop = IOLoop()
        inner = new_loop()
        asyncio.set_event_loop(inner)
        loop.close()
        assert asyncio.get_event_loop() is inner
        inner.close()

    def test_running_makes_current_for_that_time(self):
        loop = IOLoop(make_current=False)
        for _ in range(2):
            seen = []
            loop.add_callback(lambda seen=seen: seen.append(IOLoop.current()))
            loop.add_callback(loop.stop)
            loop.start()
            assert seen == [loop]
            assert IOLoop.current(instance=False) is None
        loop.close()

    def test_make_and_clear_are_deprecated(self):
        loop = IOLoop(make_current=False)
        for method in (loop.make_current, loop.install):
            with pytest.warns(DeprecationWarning, match="make_current is deprecated"):
                method()
            assert IOLoop.current() is loop
            for clear in (IOLoop.clear_current, IOLoop.clear_instance):
                with pytest.warns(DeprecationWarning, match="clear_current is deprecated"):
                    clear()
                assert IOLoop.current(instance=False) is None
        loop.close()

    def test_given_asyncio_loop(self, new_loop):
        inner = new_loop()
        loop = IOLoop(asyncio_loop=inner, make_current=False)
        assert loop.asyncio_loop is inner
        with pytest.raises(RuntimeError, match="already associated with asyncio loop"):
            IOLoop(asyncio_loop=inner, make_current=False)
        assert not inner.is_closed()
        loop.close()
        assert inner.is_closed()

    def test_main_loop_installs_itself_for_the_asyncio_loop(self, new_loop):
        inner = new_loop()
        asyncio.set_event_loop(inner)
        loop = AsyncIOMainLoop()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            loop.install()
        assert IOLoop.current() is loop
        assert loop.asyncio_loop is inner
        ran = []
        loop.add_callback(ran.append, 1)
        loop.add_callback(inner.stop)
        inner.run_forever()
        assert ran == [1]
        loop.close()

    def test_main_loop_makes_one_if_there_is_none(self):
        loop = AsyncIOMainLoop()
        assert asyncio.get_event_loop() is loop.asyncio_loop
        loop.close()

    def test_in_a_thread(self):
        def work():
            assert IOLoop.current(instance=False) is None
            loop = IOLoop.current()
            loop.add_callback(loop.stop)
            loop.start()
            loop.close()
            asyncio.set_event_loop(None)
            return loop

        with futures.ThreadPoolExecutor(1) as pool:
            assert isinstance(pool.submit(work).result(), IOLoop)

    def test_closed_loops_are_forgotten(self, new_loop):
        before = len(IOLoop._ioloop_for_asyncio)
        for _ in range(3):
            inner = new_loop()
            inner.call_soon(IOLoop.current)
            inner.call_soon(inner.stop)
            inner.run_forever()
            inner.close()
        assert len(IOLoop._ioloop_for_asyncio) <= before + 1
        IOLoop(make_current=False).close()
        assert len(IOLoop._ioloop_for_asyncio) <= before


class TestConfigure:
    @pytest.fixture(autouse=True)
    def restored(self):
        saved = IOLoop._save_configuration()
        yield
        IOLoop._restore_configuration(saved)

    @pytest.mark.parametrize("impl", [AsyncIOLoop, "eyewall.loop.aioloop.AsyncIOLoop", None])
    def test_asyncio(self, impl):
        IOLoop.configure(impl)
        loop = IOLoop(make_current=False)
        assert type(loop) is AsyncIOLoop
        loop.close()

    @pytest.mark.parametrize("impl", [Configurable, IOLoop])
    def test_anything_else(self, impl):
        with pytest.raises(RuntimeError, match="only AsyncIOLoop is allowed"):
            IOLoop.configure(impl)

    def test_subclass(self):
        class Own(AsyncIOLoop):
            pass

        IOLoop.configure(Own)
        loop = IOLoop(make_current=False)
        assert type(loop) is Own
        loop.close()


class TestCallbacks:
    def test_next_turn(self, io_loop):
        ran = []
        io_loop.add_callback(lambda *a, **k: ran.append((a, k)), 1, b=2)
        io_loop.spawn_callback(ran.append, 3)
        assert ran == []
        turns(io_loop)
        assert ran == [((1,), {"b": 2}), 3]

    def test_from_another_thread(self, io_loop):
        def work():
            io_loop.add_callback(seen.append, threading.current_thread())
            io_loop.add_callback(io_loop.stop)

        seen = []
        thread = threading.Thread(target=work)
        io_loop.add_callback(thread.start)
        io_loop.start()
        thread.join()
        assert seen == [thread]

    def test_many_threads(self, io_loop):
        seen = []

        def work(number):
            for i in range(200):
                io_loop.add_callback(seen.append, (number, i))

        async def main():
            with futures.ThreadPoolExecutor(4) as pool:
                await asyncio.gather(*[io_loop.run_in_executor(pool, work, n) for n in range(4)])

        io_loop.run_sync(main)
        turns(io_loop)
        for number in range(4):
            assert [i for n, i in seen if n == number] == list(range(200))

    def test_context_is_the_callers(self, io_loop):
        variable = contextvars.ContextVar("variable")
        seen = []

        def outer():
            variable.set("outer")
            io_loop.add_callback(lambda: seen.append(variable.get()))

        contextvars.copy_context().run(outer)
        turns(io_loop)
        assert seen == ["outer"]

    @pytest.mark.parametrize("kind", ["plain", "coroutine", "future", "threaded"])
    def test_errors_are_logged_and_shown_to_probes(self, io_loop, app_records, kind):
        error = KeyError("lost")

        def plain():
            raise error

        async def coroutine():
            await asyncio.sleep(0)
            raise error

        def future():
            result = Future()
            io_loop.add_callback(result.set_exception, error)
            return result

        def threaded():
            result = futures.Future()
            thread = threading.Thread(target=result.set_exception, args=(error,))
            thread.start()
            thread.join()
            return result

        callback = {"plain": plain, "coroutine": coroutine, "future": future, "threaded": threaded}[kind]
        probed = []
        detach = probe.callback_error.attach(lambda *args: probed.append(args))
        io_loop.add_callback(callback)
        turns(io_loop, 6)
        detach()
        assert app_records.messages == [f"Exception in callback {callback!r}"]
        assert app_records.errors == [error]
        assert probed == [(callback, error)]

    def test_cancellation_is_no_error(self, io_loop, app_records):
        def cancelled():
            raise asyncio.CancelledError

        async def cancelled_later():
            raise asyncio.CancelledError

        io_loop.add_callback(cancelled)
        io_loop.add_callback(cancelled_later)
        turns(io_loop, 5)
        assert app_records.records == []

    @pytest.mark.parametrize("result", [42, "text", (1, 2), [], {}, [None]])
    def test_results_are_of_no_interest(self, io_loop, app_records, result):
        io_loop.add_callback(lambda: result)
        turns(io_loop)
        assert app_records.records == []

    @pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
    def test_exit_ends_the_loop(self, io_loop, error):
        def leave():
            raise error

        io_loop.add_callback(leave)
        with pytest.raises(error):
            io_loop.start()

    def test_closed_loop_drops_them(self, new_loop):
        loop = IOLoop(asyncio_loop=new_loop(), make_current=False)
        loop.close()
        loop.add_callback(print)

    def test_race_with_closing(self, new_loop):
        def work():
            loop.add_callback(loop.stop)
            loop.start()
            stopped.set()
            loop.close(all_fds=True)

        loop = IOLoop(asyncio_loop=new_loop(), make_current=False)
        stopped = threading.Event()
        thread = threading.Thread(target=work)
        thread.start()
        stopped.wait()
        for _ in range(1000):
            loop.add_callback(lambda: None)
        thread.join()

    def test_from_signal(self, io_loop):
        ran = []
        with pytest.warns(DeprecationWarning, match="add_callback_from_signal is deprecated"):
            io_loop.add_callback_from_signal(ran.append, 1)
        turns(io_loop)
        assert ran == [1]


class TestFutures:
    def test_callback_gets_the_future(self, io_loop):
        async def main():
            seen = []
            future = Future()
            io_loop.add_future(future, seen.append)
            future.set_result(1)
            assert seen == []
            await asyncio.sleep(0)
            assert seen == [future]
            with futures.ThreadPoolExecutor(1) as pool:
                future = pool.submit(int)
                done = Future()
                io_loop.add_future(future, done.set_result)
                assert await done is future

        io_loop.run_sync(main)

    def test_errors_are_logged(self, io_loop, app_records):
        future = Future(loop=io_loop.asyncio_loop)
        io_loop.add_future(future, lambda _: 1 / 0)
        future.set_result(None)
        turns(io_loop)
        assert isinstance(app_records.errors[0], ZeroDivisionError)

    def test_not_a_future(self, io_loop):
        with pytest.raises(AssertionError):
            io_loop.add_future(None, print)


class TestTimeouts:
    def test_all_kinds(self, clock_loop):
        seen = []
        start = clock_loop.time()

        def note(name):
            seen.append((name, round(clock_loop.time() - start, 3)))

        clock_loop.add_timeout(start + 1, note, "absolute")
        clock_loop.add_timeout(datetime.timedelta(seconds=2), note, "relative")
        clock_loop.add_timeout(fractions.Fraction(1003), note, "any real number")
        clock_loop.call_later(4, note, name="later")
        clock_loop.call_at(start + 5, note, "at")
        clock_loop.call_at(start - 5, note, "past")
        clock_loop.call_later(6, clock_loop.stop)
        clock_loop.start()
        assert seen == [
            ("past", 0),
            ("absolute", 1),
            ("relative", 2),
            ("any real number", 3),
            ("later", 4),
            ("at", 5),
        ]

    def test_removing(self, clock_loop):
        seen = []
        second = clock_loop.call_later(2, seen.append, 2)

        def first():
            seen.append(1)
            clock_loop.remove_timeout(second)

        handle = clock_loop.call_later(1, first)
        clock_loop.call_later(3, clock_loop.stop)
        clock_loop.start()
        assert seen == [1]
        clock_loop.remove_timeout(handle)
        clock_loop.remove_timeout(second)

    def test_errors_are_logged(self, clock_loop, app_records):
        clock_loop.call_later(1, lambda: 1 / 0)
        clock_loop.call_later(2, clock_loop.stop)
        clock_loop.start()
        assert isinstance(app_records.errors[0], ZeroDivisionError)

    @pytest.mark.parametrize("deadline", ["1", None, object()])
    def test_wrong_deadline(self, io_loop, deadline):
        with pytest.raises(TypeError, match="Unsupported deadline"):
            io_loop.add_timeout(deadline, print)

    def test_real_loops(self, io_loop):
        seen = []

        def second():
            seen.append(2)
            io_loop.stop()

        def first():
            seen.append(1)
            io_loop.add_timeout(io_loop.time() + 0.001, second)

        io_loop.call_later(0, first)
        io_loop.start()
        assert seen == [1, 2]

    def test_clock(self, io_loop):
        assert abs(io_loop.time() - time.time()) < 10


class TestHandlers:
    @pytest.fixture
    def pair(self):
        left, right = socket.socketpair()
        left.setblocking(False)
        right.setblocking(False)
        yield left, right
        left.close()
        right.close()

    @pytest.mark.parametrize("by_object", [True, False])
    def test_reading(self, io_loop, pair, by_object):
        left, right = pair
        registered = left if by_object else left.fileno()
        seen = []

        def handler(fd, events):
            seen.append((fd, events, left.recv(10)))
            io_loop.stop()

        io_loop.add_handler(registered, handler, IOLoop.READ)
        for data in (b"one", b"two"):
            right.send(data)
            io_loop.start()
        io_loop.remove_handler(registered)
        assert seen == [(registered, IOLoop.READ, b"one"), (registered, IOLoop.READ, b"two")]

    def test_level_triggered(self, io_loop, pair):
        left, right = pair
        seen = []

        def handler(fd, events):
            seen.append(left.recv(1))
            if len(seen) == 3:
                io_loop.stop()

        io_loop.add_handler(left, handler, IOLoop.READ)
        right.send(b"abc")
        io_loop.start()
        io_loop.remove_handler(left)
        assert seen == [b"a", b"b", b"c"]

    def test_updating(self, io_loop, pair):
        left, right = pair
        seen = []

        def handler(fd, events):
            seen.append(events)
            io_loop.stop()

        io_loop.add_handler(left, handler, IOLoop.WRITE)
        io_loop.start()
        io_loop.update_handler(left, IOLoop.READ)
        right.send(b"x")
        io_loop.start()
        io_loop.update_handler(left, IOLoop.NONE)
        turns(io_loop, 10)
        # uvloop looks for events once more after it was stopped.
        assert list(dict.fromkeys(seen)) == [IOLoop.WRITE, IOLoop.READ]
        seen.clear()
        io_loop.update_handler(left, IOLoop.READ | IOLoop.WRITE | IOLoop.ERROR)
        for _ in range(4):
            io_loop.start()
        assert set(seen) == {IOLoop.READ, IOLoop.WRITE}
        io_loop.remove_handler(left)

    def test_adding_twice(self, io_loop, pair):
        io_loop.add_handler(pair[0], print, IOLoop.READ)
        for again in (pair[0], pair[0].fileno()):
            with pytest.raises(ValueError, match="added twice"):
                io_loop.add_handler(again, print, IOLoop.READ)
        io_loop.remove_handler(pair[0].fileno())
        io_loop.add_handler(pair[0], print, IOLoop.READ)
        io_loop.remove_handler(pair[0])

    def test_what_is_not_there(self, io_loop, pair):
        io_loop.remove_handler(pair[0])
        with pytest.raises(OSError, match="no handler"):
            io_loop.update_handler(pair[0], IOLoop.READ)

    def test_removing_one_from_the_other(self, io_loop, pair):
        seen = []

        def handler(fd, events):
            seen.append(fd.recv(10))
            io_loop.remove_handler(pair[0])
            io_loop.remove_handler(pair[1])

        for sock in pair:
            sock.send(b"abc")
            io_loop.add_handler(sock, handler, IOLoop.READ)
        turns(io_loop, 10)
        assert seen == [b"abc"]

    def test_removing_one_that_was_closed(self, io_loop):
        left, right = socket.socketpair()
        io_loop.add_handler(left, print, IOLoop.READ)
        number = left.fileno()
        left.close()
        io_loop.remove_handler(left)
        assert number not in io_loop.handlers
        right.close()
        turns(io_loop)

    def test_error_in_a_handler_ends_in_the_exception_handler(self, io_loop, pair):
        reports = []
        io_loop.asyncio_loop.set_exception_handler(lambda loop, context: reports.append(context["exception"]))

        def handler(fd, events):
            io_loop.remove_handler(fd)
            raise KeyError("in a handler")

        io_loop.add_handler(pair[0], handler, IOLoop.WRITE)
        turns(io_loop, 5)
        assert [type(error) for error in reports] == [KeyError]

    def test_bad_descriptor_leaves_nothing_behind(self, io_loop, tmp_path):
        with open(tmp_path / "file", "w") as file:
            try:
                io_loop.add_handler(file, print, IOLoop.READ)
            except OSError:
                # epoll takes no regular files.
                assert io_loop.handlers == {}
                assert io_loop.readers == set()
            else:
                io_loop.remove_handler(file)

    def test_utilities(self, io_loop, pair):
        left, right = pair
        assert io_loop.split_fd(5) == (5, 5)
        assert io_loop.split_fd(left) == (left.fileno(), left)
        io_loop.close_fd(left)
        assert left.fileno() == -1
        number = os.dup(right.fileno())
        io_loop.close_fd(number)
        io_loop.close_fd(number)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(number)

    @pytest.mark.parametrize("all_fds", [True, False])
    def test_closing(self, new_loop, all_fds):
        left, right = socket.socketpair()
        loop = IOLoop(asyncio_loop=new_loop(), make_current=False)
        loop.add_handler(left, print, IOLoop.READ)
        number = os.dup(right.fileno())
        loop.add_handler(number, print, IOLoop.READ)
        loop.close(all_fds=all_fds)
        loop.close()
        assert (left.fileno() == -1) is all_fds
        if not all_fds:
            os.close(number)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(number)
        left.close()
        right.close()


class TestRunSync:
    @pytest.fixture(params=[None, 100], ids=["without", "with"])
    def timeout(self, request):
        return request.param

    def test_results(self, io_loop, timeout):
        async def work():
            await asyncio.sleep(0)
            return IOLoop.current()

        assert io_loop.run_sync(work, timeout) is io_loop
        assert io_loop.run_sync(lambda: None, timeout) is None
        assert io_loop.run_sync(lambda: sleep(0), timeout) is None
        assert io_loop.run_sync(lambda: [asyncio.sleep(0, 1)], timeout) == [1]
        with futures.ThreadPoolExecutor(1) as pool:
            assert io_loop.run_sync(lambda: pool.submit(int, "2"), timeout) == 2

    def test_errors(self, io_loop, timeout):
        async def work():
            await asyncio.sleep(0)
            raise RuntimeError("mine")

        with pytest.raises(RuntimeError, match="mine"):
            io_loop.run_sync(work, timeout)
        with pytest.raises(ZeroDivisionError):
            io_loop.run_sync(lambda: 1 / 0, timeout)
        with pytest.raises(BadYieldError):
            io_loop.run_sync(lambda: 42, timeout)

    def test_cancellation_of_its_own(self, io_loop, timeout):
        async def work():
            raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            io_loop.run_sync(work, timeout)

    def test_stopped_loop(self, io_loop, timeout):
        async def work():
            io_loop.stop()
            await Future()

        with pytest.raises(RuntimeError, match="Event loop stopped"):
            io_loop.run_sync(work, timeout)

    def test_timeout(self, clock_loop):
        log = []

        async def work():
            try:
                await Future()
            finally:
                log.append("cleaned up")

        with pytest.raises(TimeoutError, match=r"^Operation timed out after 50 seconds$"):
            clock_loop.run_sync(work, timeout=50)
        assert log == ["cleaned up"]

    def test_timeout_of_one_that_will_not_end(self, clock_loop):
        async def work():
            while True:
                try:
                    await Future()
                except asyncio.CancelledError:
                    pass

        with pytest.raises(TimeoutError, match="timed out after 50 seconds"):
            clock_loop.run_sync(work, timeout=50)

    def test_error_on_cancellation_wins(self, clock_loop):
        async def work():
            try:
                await Future()
            except asyncio.CancelledError:
                raise KeyError("cleaning up failed") from None

        with pytest.raises(KeyError):
            clock_loop.run_sync(work, timeout=50)

    def test_blocked_loop_is_found_out(self, io_loop, monkeypatch):
        from eyewall.loop import witness

        monkeypatch.setattr(witness, "TOLERANCE", 0.0)
        blocking = threading.Event()
        looked = threading.Event()
        look = witness.Witness._look

        def look_and_tell(self):
            assert blocking.wait(30)
            look(self)
            looked.set()

        monkeypatch.setattr(witness.Witness, "_look", look_and_tell)

        def block():
            # Blocked until the witness has seen it, however slow this machine is.
            blocking.set()
            assert looked.wait(30)

        # As long as it takes to begin: uvloop looks at its timers first.
        with pytest.raises(TimeoutError, match=r"after 0\.5 seconds; the loop was blocked at .*:\d+ in "):
            io_loop.run_sync(block, timeout=0.5)
        assert not [t for t in threading.enumerate() if t.name == "eyewall-run-sync-timeout"]


class TestExecutors:
    def test_default(self, io_loop):
        async def main():
            thread = await io_loop.run_in_executor(None, threading.current_thread)
            assert thread is not threading.current_thread()
            assert await io_loop.run_in_executor(None, int, "1") == 1

        io_loop.run_sync(main)

    def test_set(self, io_loop):
        class Counting(futures.ThreadPoolExecutor):
            count = 0

            def submit(self, *args, **kwargs):
                self.count += 1
                return super().submit(*args, **kwargs)

        async def main():
            with Counting(1) as pool, futures.ThreadPoolExecutor(1) as other:
                io_loop.set_default_executor(pool)
                await io_loop.run_in_executor(None, int)
                await io_loop.run_in_executor(other, int)
                assert pool.count == 1

        io_loop.run_sync(main)


class TestRunning:
    def test_starting_twice(self, io_loop):
        errors = []

        def again():
            try:
                io_loop.start()
            except RuntimeError as error:
                errors.append(error)
            io_loop.stop()

        io_loop.add_callback(again)
        io_loop.start()
        assert len(errors) == 1

    def test_stopping_before_the_start(self, io_loop):
        io_loop.stop()
        io_loop.start()

    def test_beside_asyncio(self, run):
        async def main():
            loop = IOLoop.current()
            done = asyncio.Event()
            loop.call_later(0, done.set)
            async with asyncio.timeout(10):
                await done.wait()
            server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
            async with server:
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                assert await reader.read() == b""
                writer.close()
                await writer.wait_closed()

        run(main())


def test_bridges(run):
    async def main():
        future = Future()
        future.set_result(1)
        assert to_tornado_future(future) is future
        assert to_asyncio_future(future) is future
        assert await to_asyncio_future([asyncio.sleep(0, 1)]) == [1]

    run(main())


def test_what_belongs_to_a_loop_is_closed_with_all_descriptors(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    class Thing:
        closed = 0

        def close(self) -> None:
            self.closed += 1

    for all_fds in (False, True):
        loop = AsyncIOLoop(asyncio_loop=new_loop(), make_current=False)
        things = [Thing(), Thing()]
        for thing in (*things, things[0]):
            belongs(loop.asyncio_loop, thing)
        # Nothing is kept alive, and nobody is asked twice.
        del things[1:]
        del thing
        loop.close(all_fds=all_fds)
        loop.close(all_fds=all_fds)
        assert things[0].closed == all_fds
