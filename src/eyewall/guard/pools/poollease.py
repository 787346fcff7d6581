"""A resource that a pool has lent: who holds it, since when, and how it comes back."""

from __future__ import annotations

from collections.abc import Generator
from types import CodeType
from typing import Generic, NamedTuple, Protocol, TypeVar

T = TypeVar("T")


class Holder(NamedTuple):
    """Somebody who has a resource: the line that took it, for how many seconds, and the name of the task."""

    where: str
    seconds: float
    task: str | None


class Entry(Generic[T]):
    """A resource in a pool, and what is known of the one who has it. Hashed by identity, whatever the resource is."""

    __slots__ = ("checked", "code", "gone", "line", "reported", "resource", "since", "task", "used")

    def __init__(self, resource: T, now: float) -> None:
        self.resource = resource
        #: When it was known to work, in seconds of the loop's clock.
        self.checked = now
        #: It has served somebody.
        self.used = False
        #: It counts no more, whoever still has it.
        self.gone = False
        self.since = now
        self.code: CodeType | None = None
        self.line = 0
        self.task: str | None = None
        self.reported = False

    def holder(self, now: float) -> Holder:
        """Returns who has it."""
        return Holder(place(self.code, self.line), now - self.since, self.task)


def place(code: CodeType | None, line: int) -> str:
    """Returns `file:line in function`."""
    return "an unknown line" if code is None else f"{code.co_filename}:{line} in {code.co_qualname}"


class Lender(Protocol[T]):
    """What a lease asks of its pool."""

    async def lend(self, patience: float | None, code: CodeType, line: int) -> Entry[T]: ...

    def take_back(self, entry: Entry[T], error: BaseException | None) -> None: ...

    def discard(self, entry: Entry[T]) -> None: ...

    def forgotten(self, entry: Entry[T]) -> None: ...


class Lease(Generic[T]):
    """One turn with a resource. In `async with`, it gives the resource; awaited, it gives itself:

        async with pool.acquire() as connection:
            ...

        lease = await pool.acquire()
        lease.resource
        lease.release()

    One that is dropped without either is noticed, reported with the line that took it, and its resource closed.

    `patience`: seconds to wait for a resource of `pool`, None for no limit but the deadline of the work at
    hand. `code` and `line`: where it was asked for.
    """

    __slots__ = ("_code", "_entry", "_line", "_patience", "_pool")

    def __init__(self, pool: Lender[T], patience: float | None, code: CodeType, line: int) -> None:
        self._pool = pool
        self._patience = patience
        self._code = code
        self._line = line
        self._entry: Entry[T] | None = None

    async def __aenter__(self) -> T:
        return (await self._begin()).resource

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: object
    ) -> None:
        self.release(error)

    def __await__(self) -> Generator[object, None, Lease[T]]:
        yield from self._begin().__await__()
        return self

    async def _begin(self) -> Entry[T]:
        if self._entry is not None:
            raise RuntimeError("a lease is for one turn; acquire() returns another")
        self._entry = await self._pool.lend(self._patience, self._code, self._line)
        return self._entry

    @property
    def resource(self) -> T:
        """What was lent. Raises RuntimeError before and after that."""
        if self._entry is None:
            raise RuntimeError("this lease has no resource: it was not awaited, or was released")
        return self._entry.resource

    def release(self, error: BaseException | None = None) -> None:
        """Gives the resource back; `error` is what went wrong with it. Once is enough, and twice no error."""
        entry, self._entry = self._entry, None
        if entry is not None:
            self._pool.take_back(entry, error)

    def discard(self) -> None:
        """Gives the resource back as one that is broken: it is closed."""
        entry, self._entry = self._entry, None
        if entry is not None:
            self._pool.discard(entry)

    def __del__(self) -> None:
        entry = self._entry
        if entry is not None:
            self._pool.forgotten(entry)
