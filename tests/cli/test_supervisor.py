"""Several processes on one port: shared, replaced, restarted one by one, and ended together."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from .program import (
    APP,
    PATIENCE,
    Program,
    connect,
    get,
    is_alive,
    open_gate,
    read_response,
    request_bytes,
    until,
    write_app,
)
from .test_worker import Client, pending

FREE = ("--port", "0")
TWO = (*FREE, "--processes", "2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_app(tmp_path)
    return tmp_path


def pids(port: int, count: int) -> set[int]:
    """Asks until `count` processes have answered."""
    found: set[int] = set()

    def all_found() -> bool:
        # At the same time, so that not always the same one is the quickest.
        socks = [connect(port) for _ in range(8)]
        for sock in socks:
            sock.sendall(request_bytes("/", "Connection: close"))
        for sock in socks:
            found.add(int(read_response(sock)[2]))
            sock.close()
        return len(found) >= count

    until(all_found, f"{count} processes that answer; there are {found}")
    return found


def test_all_workers_serve_one_port_and_end_together(folder: Path) -> None:
    with Program(folder, "app:app", *TWO) as program:
        port = program.port()
        workers = pids(port, 2)
        assert program.process.pid not in workers
        assert program.output.count("Listening on") == 1
        with connect(port) as sock:
            sock.sendall(request_bytes("/slow/gate"))
            program.wait_for("working")
            program.send(signal.SIGTERM)
            program.wait_for("Draining", 2)
            open_gate(folder)
            assert read_response(sock)[2] == b"done"
        assert program.code() == 0
        assert program.output.count("everything was finished") == 2
        assert not any(is_alive(pid) for pid in workers)
        with pytest.raises(ConnectionRefusedError):
            connect(port)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_sent_to_all_processes_is_one_signal(folder: Path, number: int) -> None:
    # By a terminal, or by a service manager: workers get it from there, and hear of it from the supervisor.
    with Program(folder, "app:app", *TWO) as program:
        with connect(program.port()) as sock:
            sock.sendall(request_bytes("/slow/gate"))
            program.wait_for("working")
            os.killpg(program.process.pid, number)
            program.wait_for("Draining", 2)
            open_gate(folder)
            assert read_response(sock)[2] == b"done"
        assert program.code() == 0
        assert "Traceback" not in program.output
        assert "another is started" not in program.output


def test_a_worker_takes_any_number_of_signals_for_one(folder: Path) -> None:
    with Program(folder, "app:app", *FREE, "--processes", "1") as program:
        with connect(program.port()) as sock:
            sock.sendall(request_bytes())
            worker = int(read_response(sock)[2])
            sock.sendall(request_bytes("/slow/gate"))
            program.wait_for("working")
            for _ in range(3):
                os.kill(worker, signal.SIGTERM)
                until(lambda: not pending(worker, signal.SIGTERM), "the signal taken")
            program.wait_for("Draining")
            os.kill(worker, signal.SIGTERM)
            until(lambda: not pending(worker, signal.SIGTERM), "the signal taken")
            open_gate(folder)
            assert read_response(sock)[2] == b"done"
        program.wait_for(rf"pid {worker}\) ended with exit code 0; another is started")
        assert int(get(program.port())[2]) != worker
        assert program.stop() == 0


def test_a_worker_that_is_killed_is_replaced(folder: Path) -> None:
    with Program(folder, "app:app", *TWO) as program:
        port = program.port()
        first = pids(port, 2)
        victim = first.pop()
        os.kill(victim, signal.SIGKILL)
        program.wait_for(rf"Worker \d \(pid {victim}\) was killed by SIGKILL; another is started")
        until(lambda: int(get(port)[2]) not in (victim, *first), "the new worker")
        assert program.stop() == 0


def test_a_worker_that_is_ended_from_outside_drains_and_is_replaced(folder: Path) -> None:
    with Program(folder, "app:app", *FREE, "--processes", "1") as program:
        port = program.port()
        worker = int(get(port)[2])
        os.kill(worker, signal.SIGTERM)
        program.wait_for(rf"pid {worker}\) ended with exit code 0; another is started")
        assert int(get(port)[2]) != worker
        assert program.stop() == 0


def test_clients_wait_while_the_only_worker_is_replaced(folder: Path) -> None:
    with Program(folder, "app:app", *FREE, "--processes", "1") as program:
        port = program.port()
        worker = int(get(port)[2])
        os.kill(worker, signal.SIGKILL)
        until(lambda: not is_alive(worker), "its end")
        status, _, body = get(port)
        assert status == 200
        assert int(body) != worker


def test_workers_are_restarted_one_by_one_under_load(folder: Path) -> None:
    with Program(folder, "app:app", *TWO, "--no-access-log") as program:
        port = program.port()
        old = pids(port, 2)
        clients = [Client(port, path) for path in ("/", "/slow/0.01")]
        for client in clients:
            client.start()
        until(lambda: min(client.answered for client in clients) > 5, "requests answered")
        write_app(folder, APP.replace("str(os.getpid())", "'new ' + str(os.getpid())"))
        program.send(signal.SIGHUP)
        program.wait_for("has taken over", 2)
        until(lambda: not any(is_alive(pid) for pid in old), "the end of the old workers")
        assert get(port)[2].startswith(b"new ")
        assert program.stop() == 0
        for client in clients:
            client.join(PATIENCE)
        assert [client.error for client in clients] == [None, None]
        assert [client.lost for client in clients] == [[], []]


def test_a_restart_that_fails_leaves_the_old_workers(folder: Path) -> None:
    with Program(folder, "app:app", *TWO) as program:
        port = program.port()
        old = pids(port, 2)
        write_app(folder, "1 / 0\n")
        program.send(signal.SIGHUP)
        program.wait_for("ended with exit code 3; the old one goes on")
        assert pids(port, 2) == old
        write_app(folder)
        program.send(signal.SIGHUP)
        program.wait_for("has taken over", 2)
        assert program.stop() == 0


def test_an_application_that_can_not_be_loaded_is_not_tried_again(folder: Path) -> None:
    write_app(folder, "1 / 0\n")
    with Program(folder, "app:app", *TWO) as program:
        assert program.code() == 3
        assert 1 <= program.output.count("Traceback") <= 2


def test_workers_that_always_crash_are_given_up(tmp_path: Path) -> None:
    write_app(tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    with Program(tmp_path, "app:app", *FREE, "--processes", "1") as program:
        assert program.code() == 7
        assert program.output.count("was killed by SIGSEGV") == 5
        assert "another is started in 0.2 s" in program.output
        assert "giving up" in program.output


def test_what_is_cut_off_shows_in_the_exit_code(folder: Path) -> None:
    with Program(folder, "app:app", *TWO, "--drain-timeout", "0.2") as program:
        with connect(program.port()) as sock:
            sock.sendall(request_bytes("/slow/60"))
            program.wait_for("working")
            assert program.stop() == 6
        assert "GET /slow/60" in program.output


def test_a_second_signal_kills_all(folder: Path) -> None:
    with Program(folder, "app:app", *TWO) as program:
        port = program.port()
        workers = pids(port, 2)
        with connect(port) as sock:
            sock.sendall(request_bytes("/slow/60"))
            program.wait_for("working")
            program.send(signal.SIGTERM)
            program.wait_for("Stopping")
            assert program.stop(signal.SIGINT) == 128 + signal.SIGINT
        assert not any(is_alive(pid) for pid in workers)


def test_workers_end_when_their_supervisor_is_gone(folder: Path) -> None:
    with Program(folder, "app:app", *TWO) as program:
        port = program.port()
        workers = pids(port, 2)
        with connect(port) as sock:
            sock.sendall(request_bytes("/slow/gate"))
            program.wait_for("working")
            program.send(signal.SIGKILL)
            program.wait_for("the supervisor is gone", 2)
            open_gate(folder)
            assert read_response(sock)[2] == b"done"
        until(lambda: not any(is_alive(pid) for pid in workers), "the end of the workers")
        assert program.output.count("the supervisor is gone") == 2


def test_workers_know_which_one_they_are(tmp_path: Path) -> None:
    # And an application in debug mode does not restart one of them by itself.
    task = "from eyewall.loop.process import task_id\nlogging.info('task %s', task_id())\n"
    write_app(tmp_path, APP.replace("Slow)", "Slow)").replace("Fail)])", "Fail)], debug=True)") + task)
    with Program(tmp_path, "app:app", *TWO) as program:
        port = program.port()
        program.wait_for("task 0")
        program.wait_for("task 1")
        before = pids(port, 2)
        write_app(tmp_path)
        os.utime(tmp_path / "app.py")
        assert pids(port, 2) == before
        assert program.stop() == 0


def test_a_file_that_changes_restarts_the_worker(folder: Path) -> None:
    with Program(folder, "app:app", *FREE, "--reload") as program:
        port = program.port()
        before = get(port)[2]
        written = 0.0

        def noticed() -> bool:
            # The watcher is a process that may still be starting when the file first changes.
            nonlocal written
            if time.monotonic() - written > 2:
                write_app(folder, APP.replace("str(os.getpid())", "'changed'"))
                written = time.monotonic()
            return "Reloading, as there is a change in app.py" in program.output

        until(noticed, "the reload")
        until(lambda: get(port)[2] == b"changed", "the new response")
        write_app(folder, "1 / 0\n")
        program.wait_for("the old one goes on")
        assert get(port)[2] == b"changed"
        write_app(folder)
        until(lambda: get(port)[2].isdigit(), "the response of a mended application")
        assert get(port)[2] != before
        assert program.stop() == 0


def test_an_application_that_is_broken_at_first_is_served_once_it_is_mended(folder: Path) -> None:
    write_app(folder, "1 / 0\n")
    with Program(folder, "app:app", *FREE, "--reload") as program:
        program.wait_for("tried again when a file changes")
        write_app(folder)
        assert get(program.port())[0] == 200
        assert program.stop() == 0


def test_reloading_without_watchfiles_says_what_to_install(folder: Path) -> None:
    write_app(folder, "raise ImportError(__name__)\n", "watchfiles.py")
    with Program(folder, "app:app", *FREE, "--reload", env={"PYTHONPATH": with_folder(folder)}) as program:
        assert program.code() == 2
        assert "eyewall[reload]" in program.output


def with_folder(folder: Path) -> str:
    return os.pathsep.join([str(folder), os.environ["PYTHONPATH"]])


def test_nothing_of_a_program_is_left_behind() -> None:
    assert [thread.name for thread in threading.enumerate() if "_read" in thread.name] == []
