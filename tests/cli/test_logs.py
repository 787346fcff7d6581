"""Logging as it is set up for a server."""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest

from eyewall.base.context import request_id
from eyewall.base.loggers import access_log
from eyewall.cli.logs import set_up_logging
from eyewall.cli.settings import Settings


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        yield
    logging.captureWarnings(False)
    root.setLevel(level)
    access_log.disabled = False
    root.handlers = handlers


def test_everything_is_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(Settings(target="app", log_format="json"))
    token = request_id.set("abc")
    logging.info("two\nlines %s", '"')
    request_id.reset(token)
    warnings.warn("careful", UserWarning, stacklevel=1)
    thread = threading.Thread(target=lambda: 1 / 0, name="worker")
    thread.start()
    thread.join()
    sys.excepthook(ValueError, ValueError("lost"), None)
    records = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [record["level"] for record in records] == ["info", "warning", "critical", "critical"]
    assert records[0]["message"] == 'two\nlines "'
    assert [record.get("request_id") for record in records] == ["abc", None, None, None]
    assert "careful" in records[1]["message"]
    assert "ZeroDivisionError" in records[2]["exception"]
    assert "ValueError: lost" in records[3]["exception"]
    assert all(record["pid"] for record in records)


def test_lines_for_people_name_the_process_where_there_are_several(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logging(Settings(target="app", processes=2, log_level="warning"))
    logging.info("hidden")
    logging.warning("shown")
    line = capsys.readouterr().err
    assert f" {__import__('os').getpid()} " in line
    assert line.endswith("shown\n")
    assert "hidden" not in line


def test_the_access_log_can_be_off(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(Settings(target="app", access_log=False))
    assert not access_log.isEnabledFor(logging.ERROR)
    access_log.error("hidden")
    logging.info("shown")
    assert "hidden" not in capsys.readouterr().err
