"""One send to each of many sockets: from a ring of the kernel's, or one call after the other, with the same outcome."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyewall.net import sendring as module
from eyewall.net.sendring import ENTRIES, FEWEST, LONGEST, SendRing, send_each


def offered() -> bool:
    try:
        SendRing().close()
    except OSError:
        return False
    return True


needs_ring = pytest.mark.skipif(not offered(), reason="the kernel does not offer io_uring to this process")


@pytest.fixture(params=[pytest.param("ring", marks=needs_ring), "calls"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Both ways, one after the other, from a process's beginning."""
    module._shared.forget()
    monkeypatch.setenv(module.VARIABLE, "1" if request.param == "ring" else "0")
    yield request.param
    assert (module._shared.ring is not None) == (request.param == "ring")
    module._shared.forget()


Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pairs() -> Iterator[Callable[[int], list[Pair]]]:
    with ExitStack() as stack:

        def make(count: int) -> list[Pair]:
            made = [socket.socketpair() for _ in range(count)]
            for ours, theirs in made:
                stack.enter_context(ours).setblocking(False)
                stack.enter_context(theirs).setblocking(False)
            return made

        yield make


def fill(ours: socket.socket) -> None:
    with pytest.raises(BlockingIOError):
        while True:
            ours.send(bytes(65536))


def received(theirs: socket.socket) -> bytes:
    found = b""
    try:
        while data := theirs.recv(1 << 20):
            found += data
    except BlockingIOError:
        pass
    return found


def numbers(pairs: list[Pair]) -> list[int]:
    return [ours.fileno() for ours, _ in pairs]


# Once around the ring and beyond, to a place that is none of its beginnings.
@pytest.mark.parametrize("count", [FEWEST, ENTRIES, 2 * ENTRIES + 3])
def test_each_gets_its_own(way: str, pairs: Callable[[int], list[Pair]], count: int) -> None:
    ends = pairs(count)
    for turn in range(3):
        frames = [b"%d:%d" % (turn, number) * (1 + number % 3) for number in range(count)]
        assert send_each(numbers(ends), frames) == []
        assert [received(theirs) for _, theirs in ends] == frames


def test_who_did_not_take_everything_is_named(way: str, pairs: Callable[[int], list[Pair]]) -> None:
    ends = pairs(ENTRIES + 40)
    fill(ends[3][0])
    fill(ends[ENTRIES + 3][0])
    ends[5][1].close()
    gone = ends[7][0].fileno()
    descriptors = numbers(ends)
    ends[7][0].close()
    # A number that is nobody's, while nothing opens another.
    assert sorted(send_each(descriptors, [b"message"] * len(ends))) == [
        (3, 0),
        (5, 0),
        (7, 0),
        (ENTRIES + 3, 0),
    ]
    assert descriptors[7] == gone
    for number, (_, theirs) in enumerate(ends):
        if number not in (3, 5, 7, ENTRIES + 3):
            assert received(theirs) == b"message"


def test_a_socket_that_takes_a_part(way: str) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        ends: list[Pair] = []
        for _ in range(FEWEST):
            theirs = stack.enter_context(socket.create_connection(listener.getsockname()))
            ours = stack.enter_context(listener.accept()[0])
            ours.setblocking(False)
            ends.append((ours, theirs))
        frame = bytes(range(256)) * (LONGEST // 256)
        rests: list[tuple[int, int]] = []
        sent = 0
        # Nobody reads.
        while not rests:
            rests = send_each(numbers(ends), [frame] * len(ends))
            sent += len(frame)
        index, taken = rests[0]
        assert 0 <= taken < len(frame)
        found = b""
        while len(found) < sent - len(frame) + taken:
            found += ends[index][1].recv(1 << 20)
        assert found == (frame * (sent // len(frame)))[: len(found)]
        ends[index][1].setblocking(False)
        with pytest.raises(BlockingIOError):
            ends[index][1].recv(1)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.sampled_from([0, 1, 125, 4096, LONGEST]), min_size=FEWEST, max_size=FEWEST + 8))
def test_frames_of_any_length(way: str, pairs: Callable[[int], list[Pair]], sizes: list[int]) -> None:
    ends = pairs(len(sizes))
    frames = [bytes([number % 251]) * size for number, size in enumerate(sizes)]
    rests = dict(send_each(numbers(ends), frames))
    for number, (ours, theirs) in enumerate(ends):
        taken = rests.get(number, len(frames[number]))
        assert received(theirs) == frames[number][:taken]
        ours.close()
        theirs.close()


@needs_ring
@pytest.mark.parametrize("frame", [b"few", bytes(LONGEST + 1)])
def test_few_sockets_and_long_frames_take_no_ring(pairs: Callable[[int], list[Pair]], frame: bytes) -> None:
    module._shared.forget()
    ends = pairs(FEWEST if len(frame) > LONGEST else FEWEST - 1)
    assert send_each(numbers(ends), [frame] * len(ends)) == []
    assert {received(theirs) for _, theirs in ends} == {frame}
    assert not module._shared.tried


@needs_ring
def test_who_finds_the_ring_taken_does_without(pairs: Callable[[int], list[Pair]]) -> None:
    module._shared.forget()
    ends = pairs(FEWEST)
    with module._shared.lock:
        assert send_each(numbers(ends), [b"a"] * FEWEST) == []
    assert not module._shared.tried
    assert {received(theirs) for _, theirs in ends} == {b"a"}


@needs_ring
def test_threads_that_send_at_the_same_time(way: str, pairs: Callable[[int], list[Pair]]) -> None:
    groups = [pairs(ENTRIES), pairs(ENTRIES)]
    results: list[list[tuple[int, int]]] = []

    def send(ends: list[Pair], frame: bytes) -> None:
        for _ in range(20):
            results.append(send_each(numbers(ends), [frame] * len(ends)))

    threads = [threading.Thread(target=send, args=(ends, bytes([65 + at]))) for at, ends in enumerate(groups)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[]] * 40
    for at, ends in enumerate(groups):
        assert {received(theirs) for _, theirs in ends} == {bytes([65 + at]) * 20}


@needs_ring
def test_a_ring_whose_descriptor_was_closed_is_given_up(
    pairs: Callable[[int], list[Pair]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(module.VARIABLE, raising=False)
    module._shared.forget()
    ends = pairs(ENTRIES + 1)
    assert send_each(numbers(ends), [b"a"] * len(ends)) == []
    ring = module._shared.ring
    assert ring is not None
    # What a daemon does, after which the number is another's.
    number = ring.descriptor
    with open(os.devnull) as other:
        os.dup2(other.fileno(), number)
    # Nothing is lost: their transports get it.
    assert send_each(numbers(ends), [b"b"] * len(ends)) == [(index, 0) for index in range(len(ends))]
    assert send_each(numbers(ends), [b"c"] * len(ends)) == []
    assert {received(theirs) for _, theirs in ends} == {b"ac"}
    assert os.readlink(f"/proc/self/fd/{number}") == os.devnull
    os.close(number)
    module._shared.forget()


@needs_ring
@pytest.mark.skipif(not module.__file__.endswith(".py"), reason="nothing interrupts what is compiled")
@pytest.mark.parametrize("before", [True, False])
def test_nothing_is_left_of_a_send_that_was_interrupted(
    pairs: Callable[[int], list[Pair]], monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    def interrupted(ring: SendRing, count: int, awaited: int) -> int:
        if not before:
            enter(ring, count, awaited)
        raise KeyboardInterrupt

    enter = SendRing._enter
    ring = SendRing()
    ends = pairs(4)
    try:
        monkeypatch.setattr(SendRing, "_enter", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ring.send(numbers(ends), [b"a", b"b", b"c", b"d"])
        monkeypatch.undo()
        assert [received(theirs) for _, theirs in ends] == ([b""] * 4 if before else [b"a", b"b", b"c", b"d"])
        assert ring.send(numbers(ends)[::-1][:3], [b"1", b"22", b"333"]) == []
        assert [received(theirs) for _, theirs in ends] == [b"", b"333", b"22", b"1"]
    finally:
        ring.close()


PROGRAM = """
import ctypes, os, socket, struct, sys
from eyewall.net import sendring

def send(count=300):
    ends = [socket.socketpair() for _ in range(count)]
    for ours, _ in ends:
        ours.setblocking(False)
    assert sendring.send_each([ours.fileno() for ours, _ in ends], [b"message"] * count) == []
    assert {theirs.recv(100) for _, theirs in ends} == {b"message"}
    for pair in ends:
        for end in pair:
            end.close()
    return sendring._shared.ring is not None
"""

FORBID = """
# A filter of system calls, as containers have it: io_uring_setup is answered with EPERM.
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, 425), (0x06, 0, 0, 0x50000 | 1), (0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.c_void_p(ctypes.addressof(program)), 0, 0) == 0, os.strerror(ctypes.get_errno())
assert not send() and sendring._shared.tried
assert not send()
"""

FORK = """
assert send()
child = os.fork()
if not child:
    assert sendring._shared.ring is None
    os._exit(0 if send() else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert send()
"""


@needs_ring
@pytest.mark.parametrize("rest", [FORBID, FORK], ids=["forbidden", "forked"])
def test_a_process_of_its_own(rest: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM + rest], capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stderr) == (0, "")
