"""What a thread does, by its stack and by what the kernel says."""

from __future__ import annotations

import pytest

from eyewall.doctor.places import Place
from eyewall.doctor.stalls.kernel import SystemCall
from eyewall.doctor.stalls.kinds import Doing, Kind, Sample, kind_of, vote
from eyewall.doctor.stalls.stack import Spot, Stack


def stack(*spots: str, culprit: int = 0, handles: int = 0) -> Stack:
    """A stack of `module:function`, of which the first is the application's."""
    return Stack(
        tuple(
            Spot(
                Place(f"/{module}.py", 1, function),
                module,
                handles=handles if index == 0 else 0,
            )
            for index, (module, _, function) in enumerate(each.partition(":") for each in ("app:get", *spots))
        ),
        culprit,
        None,
    )


examined = Stack(
    (Spot(Place("/x/site-packages/eyewall/doctor/watch.py", 1, "look"), "eyewall.doctor.watch"),), 0, None
)

WAITING = [
    ((), SystemCall("clock_nanosleep", None), "it sleeps (time.sleep(2))", "time.sleep(2)"),
    (
        (),
        SystemCall("futex", None),
        "it waits for a lock or another thread (lock.acquire())",
        "lock.acquire()",
    ),
    (("threading:Event.wait", "threading:Condition.wait"), SystemCall("futex", None), "another thread", ""),
    (("queue:Queue.get", "threading:Condition.wait"), SystemCall("futex", None), "another thread", ""),
    (
        ("concurrent.futures._base:Future.result", "threading:Condition.wait"),
        SystemCall("futex", None),
        "the result of a future",
        "",
    ),
    (("subprocess:run", "subprocess:Popen.wait"), SystemCall("wait4", None), "a child process", ""),
    (("subprocess:Popen.communicate", "selectors:select"), SystemCall("poll", 5), "a child process", ""),
    ((), SystemCall("waitid", None), "a child process (os.waitid())", "os.waitid()"),
    ((), None, "it waits", ""),
]


@pytest.mark.parametrize(("spots", "call", "what", "expression"), WAITING)
def test_waiting(spots: tuple[str, ...], call: SystemCall | None, what: str, expression: str) -> None:
    doing = kind_of(stack(*spots), share=0.01, call=call, expression=expression)
    assert doing.kind is Kind.WAITING
    assert what in doing.what


def test_input_and_output() -> None:
    doing = kind_of(
        stack("http.client:read", "socket:SocketIO.readinto"), share=0, call=SystemCall("recvfrom", 999)
    )
    assert doing == (Kind.IO, "it waits for input or output: recvfrom on descriptor 999")
    assert kind_of(stack(), share=0, call=SystemCall("fsync", 999)).kind is Kind.IO
    assert kind_of(stack(), share=0, call=SystemCall("poll", None)).kind is Kind.IO


def test_names_that_are_looked_up() -> None:
    doing = kind_of(stack("socket:getaddrinfo"), share=0, call=SystemCall("poll", 999))
    assert doing == (Kind.IO, "it looks up a name in the network")
    doing = kind_of(stack(), share=0, call=SystemCall("futex", None), expression="socket.gethostbyname(name)")
    assert doing == (Kind.IO, "it looks up a name in the network (socket.gethostbyname(name))")


@pytest.mark.parametrize("call", [SystemCall("clock_nanosleep", None), SystemCall("fcntl", 3), None])
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_sqlite_whatever_it_does(call: SystemCall | None, share: float) -> None:
    doing = kind_of(stack(), share=share, call=call, expression="db.execute(sql)", module="sqlite3")
    assert doing == (Kind.IO, "it waits for SQLite (db.execute(sql))")


def test_computing() -> None:
    assert kind_of(stack(), share=0.9).kind is Kind.COMPUTING
    assert kind_of(stack(), share=0.9, held=True) == (Kind.NATIVE, "a call of C keeps the interpreter")


def test_logging() -> None:
    spots = ("logging:Logger.callHandlers", "logging:StreamHandler.emit")
    doing = kind_of(stack(*spots), share=0, call=SystemCall("write", 999))
    assert doing == (Kind.LOGGING, "a logging handler writes on descriptor 999")
    # Also where it waits for the lock of a handler that another thread is stuck in.
    assert kind_of(stack(*spots[:1]), share=0, call=SystemCall("futex", None)).kind is Kind.LOGGING
    # A function of the module that logs nothing.
    assert kind_of(stack("logging:getLogger"), share=0, call=SystemCall("futex", None)).kind is Kind.WAITING


def test_signal_handlers_whatever_they_do() -> None:
    assert kind_of(stack(handles=10), share=0, held=True) == (Kind.SIGNAL, "the handler of SIGUSR1 runs")
    assert kind_of(stack(handles=99), share=1).what == "the handler of signal 99 runs"


@pytest.mark.parametrize("module", ["pdb", "bdb", "pydevd", "debugpy.server", "ipdb"])
def test_debuggers(module: str) -> None:
    assert kind_of(stack(f"{module}:interaction"), share=0).kind is Kind.EXCUSED


def test_the_doctor_itself() -> None:
    assert kind_of(examined, share=1, held=True).kind is Kind.EXCUSED
    # What it calls of the program is the program's.
    assert kind_of(Stack((*examined.spots, *stack().spots), 1, None), share=1).kind is Kind.COMPUTING


def test_what_a_library_evaluates_is_not_shown() -> None:
    doing = kind_of(stack("x:y"), share=0, call=SystemCall("futex", None), expression="self._l.acquire()")
    assert doing.what == "it waits for a lock or another thread"


def sample(kind: Kind, line: int, weight: float, what: str = "x") -> Sample:
    spot = Spot(Place("/app.py", line, "get"), "app")
    return Sample(0.0, Doing(kind, what), Stack((spot,), 0, None), weight)


def test_samples_vote_by_the_time_that_they_stand_for() -> None:
    best = vote(
        [
            sample(Kind.WAITING, 1, 0.5),
            sample(Kind.COMPUTING, 2, 0.2),
            sample(Kind.COMPUTING, 3, 0.3),
            sample(Kind.COMPUTING, 2, 0.2),
        ]
    )
    assert best is not None
    assert best.doing.kind is Kind.COMPUTING
    assert best.place is not None
    assert best.place.line == 2
    assert vote([]) is None


def test_what_is_seen_most_of_the_time_is_said() -> None:
    # At the last look, it has woken up.
    sleeps = [sample(Kind.WAITING, 1, 0.02, "it sleeps") for _ in range(10)]
    best = vote([sample(Kind.WAITING, 1, 0.05, "it waits"), *sleeps])
    assert best is not None
    assert best.doing.what == "it sleeps"


def test_the_doctor_in_passing() -> None:
    # A collection of garbage calls it, within whatever the application does.
    seen = stack("copy:deepcopy", "eyewall.doctor.timing.garbage:note")
    assert kind_of(seen, share=1).kind is Kind.COMPUTING
    # What is beneath the callback belongs to the application, too.
    beneath = stack("asyncio.runners:Runner.run", "asyncio.events:Handle._run")
    assert kind_of(Stack(beneath.spots + examined.spots, 0, None), share=1).kind is Kind.EXCUSED


def test_a_thread_that_does_not_begin_is_the_fault_of_others() -> None:
    starts = stack("threading:Thread.start", "threading:Event.wait", "threading:Condition.wait")
    assert kind_of(starts, share=0.01, call=SystemCall("futex", None)).kind is Kind.EXCUSED
    assert kind_of(starts, share=0.9).kind is Kind.COMPUTING


def test_a_loop_that_is_idle_keeps_nothing() -> None:
    assert kind_of(stack("selectors:EpollSelector.select"), share=0, held=True).kind is Kind.THREAD
