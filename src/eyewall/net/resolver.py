"""From host names to addresses: the documented `Resolver` family.

The default asks the executor "dns", or in the Tornado profile the loop (`getaddrinfo` in its thread pool). The others
exist for programs that choose one by name with `Resolver.configure`.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, ClassVar

from eyewall.base.configurable import Configurable
from eyewall.guard.executors import default as default
from eyewall.guard.executors.errors import ExecutorFull
from eyewall.guard.executors.registry import executor
from eyewall.guard.profile import active
from eyewall.loop.ioloop import IOLoop

#: A family and what `socket.connect` of that family takes.
Endpoint = tuple[int, Any]
#: What an override may stand for: a host; a host and a port; a host and a port in one address family.
Overridden = str | tuple[str, int] | tuple[str, int, socket.AddressFamily]


class Resolver(Configurable):
    """Resolves host names. `Resolver()` makes what `Resolver.configure` has chosen, or the default."""

    @classmethod
    def configurable_base(cls) -> type[Resolver]:
        """Returns the class that `configure` is about: this one."""
        return Resolver

    @classmethod
    def configurable_default(cls) -> type[Resolver]:
        """Returns what is used where nothing was configured: by the active profile, the executor "dns" or the loop."""
        return BoundedResolver if active().dns_threads else DefaultLoopResolver

    @classmethod
    def configured_class(cls) -> type[Any]:
        """Returns the class that is chosen, or the default one of the profile that is active now."""
        chosen, _ = cls._save_configuration()
        return cls.configurable_default() if chosen is None else chosen

    def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> Awaitable[list[Endpoint]]:
        """Returns an awaitable of a list of `(family, address)` for a host name or IP address.

        `address` is what `socket.connect` takes: host and port, and two more numbers for IPv6. The awaitable
        raises OSError when the name cannot be resolved.
        """
        raise NotImplementedError(f"{type(self).__name__} does not resolve")

    def close(self) -> None:
        """Frees what the resolver holds; it cannot be used afterwards."""


def _look_up(host: str, port: int, family: int = socket.AF_UNSPEC) -> list[Endpoint]:
    """Resolves in this thread, blocking it."""
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    return [(kind, where) for kind, _, _, _, where in found]


def _numeric(host: str, port: int, family: int) -> Endpoint | None:
    """Returns the address that `host` is already, None for a name: a thread is much for no question."""
    for kind, rest in ((socket.AF_INET, ()), (socket.AF_INET6, (0, 0))):
        if family in (socket.AF_UNSPEC, kind) and isinstance(port, int):
            try:
                socket.inet_pton(kind, host)
            except (OSError, ValueError):
                # No address of this family. An IPv6 address with a zone is for the system to read.
                continue
            return kind, (host, port, *rest)
    return None


class BoundedResolver(Resolver):
    """Resolves in the threads of the executor "dns", which nothing else uses: names that are slow to resolve keep
    nobody waiting but those who wait for names.
    """

    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[Endpoint]:
        """See `Resolver.resolve`. Where too many others wait for names, that is an OSError (EAI_AGAIN), too."""
        numeric = _numeric(host, port, family)
        if numeric is not None:
            return [numeric]
        try:
            return await executor("dns").run(_look_up, host, port, family)
        except ExecutorFull as error:
            raise socket.gaierror(socket.EAI_AGAIN, str(error)) from error


class DefaultLoopResolver(Resolver):
    """Resolves with the loop's `getaddrinfo`: in its thread pool, or however else the loop does it."""

    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[Endpoint]:
        """See `Resolver.resolve`."""
        numeric = _numeric(host, port, family)
        if numeric is not None:
            return [numeric]
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        return [(kind, where) for kind, _, _, _, where in found]


class DefaultExecutorResolver(Resolver):
    """Resolves in the default executor of the `IOLoop`."""

    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[Endpoint]:
        """See `Resolver.resolve`."""
        found: list[Endpoint] = await IOLoop.current().run_in_executor(None, _look_up, host, port, family)
        return found


class ExecutorResolver(Resolver):
    """Resolves in an executor of the caller's choice, which is shut down by `close` unless that is declined.

    Deprecated since Tornado 5.0 in favour of the default resolver.
    """

    def initialize(self, executor: Executor | None = None, close_executor: bool = True) -> None:
        """Without an `executor`, resolving blocks the thread."""
        self.executor = _Inline() if executor is None else executor
        self.close_executor = executor is not None and close_executor
        self._closed = False

    def close(self) -> None:
        """Shuts the executor down, if it came with that right."""
        if not self._closed and self.close_executor:
            self.executor.shutdown()
        self._closed = True

    def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> Awaitable[list[Endpoint]]:
        """See `Resolver.resolve`. Raises RuntimeError after `close`."""
        if self._closed:
            raise RuntimeError("this resolver is closed")
        loop: asyncio.AbstractEventLoop = IOLoop.current().asyncio_loop  # type: ignore[attr-defined]
        return asyncio.wrap_future(self.executor.submit(_look_up, host, port, family), loop=loop)


class _Inline(Executor):
    """Runs what is submitted at once, in the calling thread."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - as every executor does
            future.set_exception(error)
        return future


class BlockingResolver(ExecutorResolver):
    """Resolves in the thread of the loop, which is blocked meanwhile. Deprecated since Tornado 5.0."""

    def initialize(self) -> None:  # type: ignore[override]
        """Takes no arguments."""
        super().initialize()


class ThreadedResolver(ExecutorResolver):
    """Resolves in a pool of threads that all instances of a process share. Deprecated since Tornado 5.0."""

    _threadpool: ClassVar[ThreadPoolExecutor | None] = None
    _threadpool_owner: ClassVar[int] = 0

    def initialize(self, num_threads: int = 10) -> None:  # type: ignore[override]
        """`num_threads` counts for the first resolver of a process, which makes the pool."""
        super().initialize(executor=self._shared_pool(num_threads), close_executor=False)

    @staticmethod
    def _shared_pool(num_threads: int) -> ThreadPoolExecutor:
        process = os.getpid()
        if ThreadedResolver._threadpool is None or ThreadedResolver._threadpool_owner != process:
            # The threads of a pool do not survive a fork, so a child needs one of its own.
            ThreadedResolver._threadpool = ThreadPoolExecutor(num_threads, "eyewall-resolver")
            ThreadedResolver._threadpool_owner = process
        return ThreadedResolver._threadpool


class OverrideResolver(Resolver):
    """Asks another resolver for something else than it was asked for: an `/etc/hosts` of one's own.

    A key of `mapping` is a host, which stands for another host; or `(host, port)` or `(host, port, family)`,
    which stand for another host and port. The most specific one that is there counts.
    """

    def initialize(self, resolver: Resolver, mapping: Mapping[Overridden, str | tuple[str, int]]) -> None:
        """`resolver` resolves what has been looked up in `mapping`."""
        self.resolver = resolver
        self.mapping = mapping

    def close(self) -> None:
        """Closes the other resolver."""
        self.resolver.close()

    def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> Awaitable[list[Endpoint]]:
        """See `Resolver.resolve`."""
        keys: tuple[Overridden, ...] = ((host, port, family), (host, port), host)
        for key in keys:
            if key in self.mapping:
                target = self.mapping[key]
                host, port = (target, port) if isinstance(target, str) else target
                break
        return self.resolver.resolve(host, port, family)
