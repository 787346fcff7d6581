"""The other rules: awaits, tasks, executors, timeouts, WebSockets, cancellation. What is marked is found, no more."""

from __future__ import annotations

from pathlib import Path

from .marked import holds


def test_coroutine_functions_that_nobody_awaits(tmp_path: Path) -> None:
    holds(
        tmp_path,
        app="""
        import asyncio, functools, threading
        from tornado.ioloop import IOLoop, PeriodicCallback

        async def work(*args): ...
        def plain(*args): ...

        class Ours:
            def call_soon(self, function):
                asyncio.run(function())
            async def tick(self): ...
            def begin(self, future):
                future.add_done_callback(self.tick)  #! EW101
                future.add_done_callback(plain)
                self.call_soon(work)

        async def main(loop, stream):
            loop.call_soon(work)  #! EW101
            loop.call_soon(plain)
            loop.call_soon_threadsafe(functools.partial(work, 1))  #! EW101
            loop.call_soon(lambda: asyncio.ensure_future(work()))
            loop.add_signal_handler(15, work)  #! EW101
            loop.add_signal_handler(15, plain)
            threading.Thread(target=work).start()  #! EW101
            threading.Thread(target=asyncio.run, args=(work(),)).start()
            threading.Timer(1.0, work).start()  #! EW101
            IOLoop.current().add_callback(work)
            IOLoop.current().call_later(1, work)
            PeriodicCallback(work, 100).start()
        """,
    )


def test_timers_of_asyncio_await_nothing(tmp_path: Path) -> None:
    holds(
        tmp_path,
        app="""
        import asyncio
        from tornado.ioloop import IOLoop

        async def work(*args): ...

        async def main(unknown):
            loop = asyncio.get_running_loop()
            loop.call_later(1, work)  #! EW101
            loop.call_at(loop.time() + 1, callback=work)  #! EW101
            IOLoop.current().call_later(1, work)
            unknown.call_later(1, work)
        """,
    )


def test_coroutines_that_are_taken_for_their_results(tmp_path: Path) -> None:
    holds(
        tmp_path,
        app="""
        import asyncio, contextlib

        async def work(*args): ...

        async def stream():
            yield 1

        @contextlib.asynccontextmanager
        async def managed():
            yield

        class Store:
            async def has(self, key): ...
            async def load(self): ...
            async def show(self, key, later):
                if self.has(key):  #! EW101
                    return
                while not self.has(key):  #! EW101
                    pass
                for row in self.load():  #! EW101
                    print(row)
                with self.load():  #! EW101
                    pass
                rows = [row for row in self.load()]  #! EW101
                first = self.load()[0]  #! EW101
                names = self.load().names  #! EW101
                text = f"{self.load()}"  #! EW101
                total = 1 + self.load()  #! EW101
                same = self.load() == rows  #! EW101
                shown = rows if self.has(key) else first  #! EW101
                dropped = self.load()  #! EW101
                assert self.has(key)  #! EW101
                return names, text, total, same, shown

            async def well(self, key, later):
                if await self.has(key) and later:
                    coroutine = self.load()
                    await coroutine
                work().close()
                work().cr_frame.clear()
                one = self.load() if key else work()
                default = later or self.load()
                await asyncio.gather(*[work(each) for each in range(3)], one, default)
                async for each in stream():
                    print(each)
                async with managed():
                    pass
                global kept
                kept = work()
                return {key: work()}[key]
        """,
    )


def test_decorators_of_the_program_that_leave_a_coroutine_function(tmp_path: Path) -> None:
    holds(
        tmp_path,
        app="""
        import asyncio, functools
        from tools import retry, traced, runs, scheduled

        @traced
        async def one(): ...

        @retry(3)
        async def two(): ...

        @scheduled
        async def three(): ...

        @runs
        async def four(): ...

        async def main():
            one()  #! EW101
            two()  #! EW101
            three()
            four()
        """,
        tools="""
        import asyncio, functools

        tasks = set()

        def traced(function):
            @functools.wraps(function)
            async def wrapper(*args):
                return await function(*args)
            return wrapper

        def retry(times):
            def decorate(function):
                async def wrapper(*args):
                    for _ in range(times):
                        await function(*args)
                return wrapper
            return decorate

        def scheduled(function):
            def wrapper(*args):
                task = asyncio.ensure_future(function(*args))
                tasks.add(task)
                return task
            return wrapper

        def runs(function):
            async def inner():
                await function()
            if function is None:
                return inner
            return lambda: asyncio.run(inner())
        """,
    )


def test_a_finally_that_is_left(tmp_path: Path) -> None:
    holds(
        tmp_path,
        app="""
        async def work(*args): ...

        async def goes_on():
            while True:
                try:
                    await work()
                finally:
                    continue  #! EW601

        async def returns(key):
            try:
                await work()
            except ValueError:
                raise
            finally:
                if key:
                    return 1  #! EW601

        async def well(keys):
            try:
                await work()
            finally:
                for key in keys:
                    if key:
                        break
                def close():
                    return 1
                close()
            try:
                work
            finally:
                return 1
        """,
    )


def test_forgotten_awaits(tmp_path: Path) -> None:
    holds(
        tmp_path,
        app="""
        import asyncio, contextlib
        from tornado import gen
        from other import elsewhere

        async def work(): ...

        async def stream():
            yield 1

        @contextlib.asynccontextmanager
        async def managed():
            yield 1

        @gen.coroutine
        def old():
            yield work()

        @some.decorator
        async def scheduled(): ...

        class Base:
            async def inherited(self): ...

        class Service(Base):
            async def save(self): ...
            async def run(self):
                self.save()  #! EW101
                self.inherited()  #! EW101
                super().inherited()  #! EW101
                Service().save()  #! EW101
                work()  #! EW101
                elsewhere()  #! EW101
                asyncio.sleep(1)  #! EW101
                gen.sleep(1)  #! EW103
                old()  #! EW103
                await self.save()
                coro = self.save()
                stream()
                managed()
                scheduled()
                self.unknown()
                await coro
            def plain(self):
                self.save()  #! EW101
                return self.save()
        """,
        other="async def elsewhere(): ...\n",
    )


def test_tasks_that_nobody_keeps(tmp_path: Path) -> None:
    holds(
        tmp_path,
        """
        import asyncio
        from tornado.ioloop import IOLoop

        tasks = set()

        async def main(loop, job, group):
            asyncio.create_task(job())  #! EW102
            asyncio.ensure_future(job())  #! EW102
            asyncio.get_running_loop().create_task(job())  #! EW102
            loop.create_task(job())  #! EW102
            lost = asyncio.create_task(job())  #! EW102
            _ = asyncio.create_task(job())  #! EW102
            asyncio.gather(job(), job())  #! EW103
            asyncio.run_coroutine_threadsafe(job(), loop)  #! EW103
            group.create_task(job())
            async with asyncio.TaskGroup() as tg:
                tg.create_task(job())
            task = asyncio.create_task(job())
            tasks.add(task)
            asyncio.create_task(job()).add_done_callback(print)
            IOLoop.current().spawn_callback(job)
            await asyncio.create_task(job())
            return asyncio.create_task(job())
        """,
    )


def test_executors(tmp_path: Path) -> None:
    holds(
        tmp_path,
        app="""
        import asyncio
        from concurrent.futures import ThreadPoolExecutor
        from tornado.ioloop import IOLoop
        from tornado.web import RequestHandler

        pool = ThreadPoolExecutor(4)

        class Page(RequestHandler):
            executor = ThreadPoolExecutor(4)
            async def get(self):
                await IOLoop.current().run_in_executor(None, job)  #! EW301
                await asyncio.get_running_loop().run_in_executor(pool, job)  #! EW301
                await asyncio.wrap_future(self.executor.submit(job))  #! EW301
                await asyncio.to_thread(job)  #! EW301
                mine = ThreadPoolExecutor(4)  #! EW302
                await self.loop.run_in_executor(unknown, job)

        async def main():
            own = ThreadPoolExecutor(1)
            await asyncio.to_thread(job)
        """,
        bounded="""
        import asyncio
        from eyewall.guard.executors import executor
        from eyewall.web import RequestHandler

        class Page(RequestHandler):
            async def get(self):
                await asyncio.to_thread(job)
                await executor("database").run(job)
        """,
    )


def test_timeouts(tmp_path: Path) -> None:
    holds(
        tmp_path,
        """
        import asyncio, urllib.request
        import aiohttp, httpx, requests
        from tornado.httpclient import AsyncHTTPClient, HTTPRequest

        def plain(options):
            requests.get("/")  #! EW401
            requests.get("/", timeout=None)  #! EW401
            requests.get("/", timeout=3)
            requests.get("/", **options)
            urllib.request.urlopen("/")  #! EW401
            urllib.request.urlopen("/", None, 3)

        client = AsyncHTTPClient()

        async def main():
            await client.fetch("/")
            await client.fetch("/", request_timeout=0)  #! EW401
            request = HTTPRequest("/", request_timeout=0)  #! EW401
            httpx.AsyncClient(timeout=None)  #! EW401
            httpx.AsyncClient()
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))  #! EW401
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_read=5))
            aiohttp.ClientSession()
            await asyncio.open_connection("x", 1)  #! EW401
            await asyncio.open_connection("127.0.0.1", 1)
            await asyncio.open_connection(sock=None)
            await asyncio.wait_for(asyncio.open_connection("x", 1), 5)
            async with asyncio.timeout(5):
                await asyncio.open_connection("x", 1)
        """,
    )


def test_websockets_that_register_themselves(tmp_path: Path) -> None:
    holds(
        tmp_path,
        """
        import weakref
        from mixins import Unknown
        from tornado.websocket import WebSocketHandler

        clients = set()
        rooms = {}
        weak = weakref.WeakSet()

        class Lost(WebSocketHandler):
            waiters = []
            def open(self, room):
                clients.add(self)  #! EW501
                self.waiters.append(self)  #! EW501
                Lost.waiters.append(self)  #! EW501
                rooms[room] = self  #! EW501
                rooms.setdefault(room, set()).add(self)  #! EW501
                self.application.clients.add(self)  #! EW501
                weak.add(self)
                self.children = []
                self.children.append(self)

        class Given(WebSocketHandler):
            def initialize(self, hub, request=None):
                self.hub = hub
                self.asked = request
                self.tags = []
            def open(self, room):
                self.hub.rooms[room].append(self)  #! EW501
                self.asked.handlers.append(self)
                self.tags.append(self)

        class Forgetful(WebSocketHandler):
            def __init__(self, *args):
                super().__init__(*args)
                clients.add(self)  #! EW501
            def on_close(self):
                print("gone")

        class Tidy(WebSocketHandler):
            def open(self):
                clients.add(self)
            def on_close(self):
                clients.discard(self)

        class Inheriting(Tidy):
            def open(self):
                clients.add(self)

        class ByHelper(WebSocketHandler):
            def open(self):
                clients.add(self)
            def on_close(self):
                self.leave()
            def leave(self):
                clients.remove(self)

        class ByManager(WebSocketHandler):
            def open(self):
                hub.add(self)
            def on_close(self):
                hub.leave(self)

        class WhoKnows(Unknown, WebSocketHandler):
            def open(self):
                clients.add(self)

        class NoSocket:
            def open(self):
                clients.add(self)
        """,
    )


def test_swallowed_cancellations(tmp_path: Path) -> None:
    holds(
        tmp_path,
        """
        import asyncio, contextlib
        from tornado import gen

        async def everything(job):
            try:
                await job()
            except BaseException:  #! EW601
                print("failed")

        async def bare(job):
            try:
                await job()
            except:  #! EW601
                pass

        @gen.coroutine
        def old(job):
            try:
                yield job()
            except:  #! EW601
                pass

        async def goes_on(job):
            while True:
                try:
                    await job()
                except asyncio.CancelledError:  #! EW601
                    print("cancelled")

        async def suppressed(job):
            with contextlib.suppress(asyncio.CancelledError):  #! EW601
                await job()
            await job()

        async def finishes(job, rest):
            try:
                await job()
            except asyncio.CancelledError:
                pass
            await rest()

        async def begins_something_else(job, rest):
            try:
                await job()
            except asyncio.CancelledError:  #! EW601
                pass
            while True:
                await rest()

        async def raises_again(job):
            try:
                await job()
            except BaseException:
                print("failed")
                raise

        async def let_through(job):
            try:
                await job()
            except asyncio.CancelledError:
                raise
            except BaseException:
                pass

        async def only_failures(job):
            try:
                await job()
            except Exception:
                pass

        async def nothing_awaited(job):
            try:
                job()
            except BaseException:
                pass

        async def handed_on(job, future):
            try:
                await job()
            except BaseException as error:
                future.set_exception(error)

        async def cancels(task):
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                pass
            await asyncio.sleep(1)

        async def ends(job):
            while True:
                try:
                    await job()
                except asyncio.CancelledError:
                    return

        async def is_over(job):
            try:
                await job()
            except asyncio.CancelledError:
                print("over")

        def no_coroutine(job):
            try:
                job()
            except:
                pass
        """,
    )


def test_swallowed_timeouts(tmp_path: Path) -> None:
    holds(
        tmp_path,
        """
        import asyncio
        from tornado import gen

        async def silent(job):
            try:
                await gen.with_timeout(1, job())
            except Exception:  #! EW602
                pass

        async def block(job):
            try:
                async with asyncio.timeout(1):
                    await job()
            except Exception:  #! EW602
                pass

        async def said(job):
            try:
                await asyncio.wait_for(job(), 1)
            except Exception:
                print("late, or broken")

        async def known(job):
            try:
                await asyncio.wait_for(job(), 1)
            except TimeoutError:
                pass
            except Exception:
                pass

        async def unbounded(job):
            try:
                await job()
            except Exception:
                pass
        """,
    )
