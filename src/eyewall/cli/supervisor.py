"""The process that watches over workers: starts them, replaces them, and ends with them.

It has no event loop, no threads and no application, so that it can `fork` at any time and give each worker a
clean start; what wakes it are signals and what workers say. It holds the listening sockets, so that clients
wait in the kernel's backlog, and are not refused, while a worker is replaced.

    slot        what a worker is for: one of `processes`; its `current` worker serves
    crash       a worker ended that nobody told to: another one is started, at once if it had lived for
                `STABLE` seconds, else after a back-off that doubles with each early end
    roll        slot by slot: a new worker is started, and once it accepts, the old one is told to drain; one
                that does not come up leaves the old one in place
    giving up   nobody serves, and `_EARLY_ENDS` workers in a row have ended early
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from eyewall.base.loggers import gen_log
from eyewall.cli.addresses import Addresses
from eyewall.cli.backoff import LONGEST_PAUSE, STABLE, pause_after, words
from eyewall.cli.exits import HOPELESS, ExitCode, describe
from eyewall.cli.notices import Notices
from eyewall.cli.settings import Settings
from eyewall.cli.watcher import watch
from eyewall.cli.wellbeing import STARTED
from eyewall.cli.worker import DRAIN, END, READY, SIGNALLED, Worker
from eyewall.guard.checks.systemd import Notifier
from eyewall.loop.process import set_task_id

if TYPE_CHECKING:
    # Most programs have none.
    from eyewall.cli.beside import Beside

#: Early ends in a row, with nobody serving, after which it is given up.
_EARLY_ENDS = 5
#: Seconds beyond the time for draining after which a worker is killed.
_KILL_GRACE = 10.0
#: Seconds from a worker's word that it was signalled to the answer: if the signal was sent to all processes, this
#: one has got it by then, and has everybody stop in order.
_ECHO = 0.05

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class _Child:
    """A process that was started.

    `line`: to what it says. `started`: its start is over. `heard_at`: when it last said anything. `told`: to stop.
    `ask_at`: when it is asked to. `kill_at`: when it is killed.
    """

    def __init__(self, pid: int, line: socket.socket, slot: _Slot | None) -> None:
        self.pid = pid
        self.line = line
        self.slot = slot
        self.born = time.monotonic()
        self.ready = False
        self.started = False
        self.told = False
        self.heard_at = self.born
        self.ask_at: float | None = None
        self.kill_at: float | None = None
        self.heard = b""

    def __str__(self) -> str:
        return f"worker {self.slot.number} (pid {self.pid})" if self.slot else f"watcher (pid {self.pid})"


class _Slot:
    """A place for a worker. `next`: is to replace `current`. `start_at`: when one is to be started."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.current: _Child | None = None
        self.next: _Child | None = None
        self.retiring: _Child | None = None
        self.early_ends = 0
        self.start_at: float | None = 0.0
        #: Which request to roll the replacement answers.
        self.rolling = 0


class Supervisor:
    """Runs `processes` workers that serve the sockets of `addresses`; `urls` are logged when they do.

    With `settings.reload` it replaces them whenever a file changes. `notifier`: the service manager's, which is told
    of all workers together. `dashboard`: the one beside this process, which is started again where it ends.
    """

    def __init__(
        self,
        settings: Settings,
        addresses: Addresses,
        urls: list[str],
        processes: int,
        notifier: Notifier | None = None,
        dashboard: Beside | None = None,
    ) -> None:
        self._settings = settings
        self._addresses = addresses
        self._urls = urls
        self._slots = [_Slot(number) for number in range(1, processes + 1)]
        self._notices = Notices(notifier, processes, urls)
        self._dashboard = dashboard
        self._children: dict[int, _Child] = {}
        self._roll: deque[tuple[_Slot, int]] = deque()
        self._rolls = 0
        self._early_ends = 0
        self._announced = False
        self._stopping = False
        self._code: int = ExitCode.DONE
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def run(self) -> int:
        """Supervises until a signal ends it. Returns the exit code; in a child, that of the child."""
        own, began = os.getpid(), time.time()
        self._take_signals()
        if self._settings.reload:
            line = self._fork(None)
            if line is not None:
                return watch(self._settings, line, own, began)
        while True:
            self._reap()
            now = time.monotonic()
            self._advance_roll()
            for slot in self._slots:
                if slot.start_at is not None and slot.start_at <= now and not self._stopping:
                    slot.start_at = None
                    line = self._fork(slot)
                    if line is not None:
                        return self._be_worker(slot, line)
            if self._stopping and not self._children:
                self._leave_signals()
                return self._code
            due = self._until_next(now)
            if self._dashboard is not None and not self._stopping:
                due = _sooner(due, self._dashboard.step())
            self._wait(_sooner(due, self._tell_manager(now)))

    # -- processes --------------------------------------------------------------------------------------

    def _fork(self, slot: _Slot | None) -> socket.socket | None:
        """Starts a process. Returns None in this one, and in the child its line to here."""
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        # One that came between `fork` and the reset of the handlers would wake this process, not the child.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            pid = os.fork()
        except OSError as error:
            gen_log.error("No process could be started: %s", error)
            pid = -1
        if pid == 0:
            self._forget(ours)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        if pid == 0:
            return theirs
        if pid < 0:
            ours.close()
            theirs.close()
            if slot is not None:
                slot.start_at = time.monotonic() + LONGEST_PAUSE
            return None
        theirs.close()
        ours.setblocking(False)
        child = _Child(pid, ours, slot)
        self._children[pid] = child
        if slot is not None:
            if slot.current is None:
                slot.current = child
            else:
                slot.next = child
        return None

    def _forget(self, ours: socket.socket) -> None:
        """Lets go, in a child, of all that is the supervisor's."""
        self._leave_signals()
        ours.close()
        self._notices.close()
        self._wake.close()
        self._woken.close()
        for child in self._children.values():
            child.line.close()
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, _do_nothing)

    def _be_worker(self, slot: _Slot, line: socket.socket) -> int:
        # Among other things, an application in debug mode does not restart itself, then.
        set_task_id(slot.number - 1)
        return Worker(self._settings, self._addresses, supervisor=line, beat=self._notices.beat).run()

    def _reap(self) -> None:
        """Deals with the processes that have ended."""
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                pid = 0
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is None:
                if self._dashboard is not None:
                    self._dashboard.reaped(pid, status)
                continue
            child.line.close()
            if child.slot is None:
                self._watcher_ended(child, status)
            else:
                self._ended(child, child.slot, status)

    def _ended(self, child: _Child, slot: _Slot, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        if slot.retiring is child:
            slot.retiring = None
        is_next, is_current = slot.next is child, slot.current is child
        if is_next:
            slot.next = None
        elif is_current:
            slot.current = None
        if self._stopping:
            self._count(child, code, status)
        elif is_next:
            gen_log.error("New %s %s; the old one goes on", child, describe(status))
            # Others would fare no better; what was asked for later is tried again.
            self._roll = deque(each for each in self._roll if each[1] != slot.rolling)
        elif is_current:
            self._replace(child, slot, code, status)

    def _count(self, child: _Child, code: int, status: int) -> None:
        """Takes the end of a worker into the exit code of the whole, if it did not end well."""
        if code == ExitCode.DONE or (code == -signal.SIGTERM and not child.ready):
            return
        gen_log.error("%s %s", str(child).capitalize(), describe(status))
        if self._code in (ExitCode.DONE, ExitCode.FAILED):
            self._code = ExitCode.CUT if code == ExitCode.CUT or code < 0 else ExitCode.FAILED

    def _replace(self, child: _Child, slot: _Slot, code: int, status: int) -> None:
        """Decides what follows on the end of a worker that nobody asked for."""
        now = time.monotonic()
        who = str(child).capitalize()
        early = not child.ready or now - child.born < STABLE
        slot.early_ends = slot.early_ends + 1 if early else 0
        self._early_ends = self._early_ends + 1 if early else 0
        serving = any(each.ready and not each.told for each in self._children.values())
        if slot.next is not None:
            slot.current, slot.next = slot.next, None
            gen_log.error("%s %s; its replacement is on the way", who, describe(status))
        elif self._settings.reload and not child.ready:
            gen_log.error("%s %s; it is tried again when a file changes", who, describe(status))
        elif code in HOPELESS and not self._announced:
            gen_log.error("%s %s; there is no use in another", who, describe(status))
            self._give_up(code)
        elif not serving and self._early_ends >= _EARLY_ENDS and not self._settings.reload:
            gen_log.error("%s %s, like %d before it; giving up", who, describe(status), self._early_ends - 1)
            self._give_up(ExitCode.WORKERS)
        else:
            pause = pause_after(slot.early_ends)
            gen_log.error("%s %s; another is started %s", who, describe(status), words(pause))
            slot.start_at = now + pause

    def _give_up(self, code: int) -> None:
        self._code = code
        self._stop()

    def _tell(self, child: _Child) -> None:
        """Has a child end: a worker drains. Once, as the time for it begins here."""
        if not child.told:
            child.told = True
            child.kill_at = time.monotonic() + self._settings.drain_timeout + _KILL_GRACE
            self._ask(child)
            if not child.ready:
                # It does not listen yet, or is no worker; as long as it takes no signals, this ends it at once.
                self._kill(child, signal.SIGTERM)

    def _ask(self, child: _Child) -> None:
        """Says on the line to a worker that it is to drain."""
        child.ask_at = None
        try:
            child.line.send(END if self._stopping else DRAIN)
        except OSError:
            # The application has closed the worker's end. A signal that can't be passed on counts there.
            self._kill(child, signal.SIGTERM)

    def _kill(self, child: _Child, number: int) -> None:
        # Not reaped yet, so the number is still its own.
        os.kill(child.pid, number)

    # -- replacing one by one ---------------------------------------------------------------------------

    def _request_roll(self) -> None:
        self._rolls += 1
        for slot in self._slots:
            self._roll = deque(each for each in self._roll if each[0] is not slot)
            self._roll.append((slot, self._rolls))

    def _advance_roll(self) -> None:
        if self._stopping or any(slot.next or slot.retiring for slot in self._slots):
            return
        while self._roll:
            slot, number = self._roll.popleft()
            if slot.current is not None and not slot.current.ready:
                # It is just being started, maybe from what was there before the change.
                slot.current.told = True
                self._kill(slot.current, signal.SIGKILL)
                slot.retiring, slot.current = slot.current, None
            slot.rolling = number
            slot.start_at = time.monotonic()
            return

    def _is_ready(self, child: _Child, slot: _Slot) -> None:
        child.ready = True
        if slot.next is child:
            old, slot.current, slot.next = slot.current, child, None
            if old is not None:
                gen_log.info("%s has taken over; %s drains", str(child).capitalize(), old)
                slot.retiring = old
                self._tell(old)
        if not self._announced and all(slot.current and slot.current.ready for slot in self._slots):
            self._announced = True
            for url in self._urls:
                gen_log.info("Listening on %s", url)

    def _tell_manager(self, now: float) -> float | None:
        """Tells the service manager how the workers are. Returns the seconds until it has to be told again."""
        return self._notices.step(
            now,
            started=sum(slot.current is not None and slot.current.started for slot in self._slots),
            settled=not self._roll
            and not any(slot.next or slot.retiring or slot.start_at is not None for slot in self._slots),
            # Those that start or drain are looked after here.
            heard=[each.heard_at for each in self._children.values() if each.ready and not each.told],
        )

    # -- files that change ------------------------------------------------------------------------------

    def _changed(self, names: str) -> None:
        gen_log.info("Reloading, as there is a change in %s", names)
        self._early_ends = 0
        self._request_roll()

    def _watcher_ended(self, child: _Child, status: int) -> None:
        if self._stopping:
            return
        code = os.waitstatus_to_exitcode(status)
        if code in HOPELESS:
            self._give_up(code)
        else:
            gen_log.error("The %s %s; changes of files are not noticed any more", child, describe(status))

    # -- waiting ----------------------------------------------------------------------------------------

    def _take_signals(self) -> None:
        for number in _SIGNALS:
            # Something has to be set for the signal to be written to the wake-up descriptor.
            self._before[number] = signal.signal(number, _do_nothing)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)

    def _leave_signals(self) -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _until_next(self, now: float) -> float | None:
        """Returns the seconds until something is due, None where nothing is; does what children have coming."""
        times = [slot.start_at for slot in self._slots if slot.start_at is not None and not self._stopping]
        for child in self._children.values():
            if child.ask_at is not None:
                if child.ask_at <= now:
                    self._ask(child)
                else:
                    times.append(child.ask_at)
            if child.kill_at is None:
                continue
            if child.kill_at <= now:
                gen_log.error("%s has not ended in time and is killed", str(child).capitalize())
                self._kill(child, signal.SIGKILL)
                child.kill_at = None
            else:
                times.append(child.kill_at)
        return max(0.0, min(times) - now) if times else None

    def _wait(self, timeout: float | None) -> None:
        """Waits for a signal or for what a child says."""
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        lines = {child.line.fileno(): child for child in self._children.values() if child.line.fileno() >= 0}
        for descriptor in lines:
            poll.register(descriptor, select.POLLIN)
        for descriptor, _ in poll.poll(None if timeout is None else timeout * 1000.0 + 1.0):
            if descriptor == self._woken.fileno():
                for number in self._woken.recv(4096):
                    self._signalled(number)
            else:
                self._hear(lines[descriptor])

    def _hear(self, child: _Child) -> None:
        try:
            said = child.line.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said:
            # It ends, and SIGCHLD will say how; or it has closed what it doesn't know.
            child.line.close()
            return
        child.heard_at = time.monotonic()
        *lines, child.heard = (child.heard + said).split(b"\n")
        for line in lines:
            if child.slot is None:
                self._changed(os.fsdecode(line))
            elif line + b"\n" == READY:
                self._is_ready(child, child.slot)
            elif line + b"\n" == STARTED:
                child.started = True
            elif line + b"\n" == SIGNALLED:
                # Meant for it alone, or sent to all processes. It waits for a word, so that it is not the first
                # to stop listening: clients would wait for nobody.
                child.ask_at = time.monotonic() + _ECHO

    def _signalled(self, number: int) -> None:
        if number == signal.SIGHUP:
            if not self._stopping:
                gen_log.info("Restarting workers one by one (SIGHUP)")
                self._notices.reloading()
                self._request_roll()
        elif number in (signal.SIGTERM, signal.SIGINT):
            if self._stopping:
                self._code = 128 + number
                for child in self._children.values():
                    self._kill(child, signal.SIGKILL)
            else:
                gen_log.info("Stopping (%s)", signal.Signals(number).name)
                self._stop()

    def _stop(self) -> None:
        """Has everybody drain; nobody is started any more."""
        self._stopping = True
        self._notices.stopping()
        # Who is connected by now is accepted by one of the workers; nobody else is connected any more.
        self._addresses.refuse()
        # While this process held them, clients would connect to nobody.
        self._addresses.close()
        for child in self._children.values():
            self._tell(child)


def _sooner(one: float | None, other: float | None) -> float | None:
    """Returns the smaller of two times, None standing for never."""
    return min((each for each in (one, other) if each is not None), default=None)


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """Lets a signal be noticed through the wake-up descriptor, or not at all."""
