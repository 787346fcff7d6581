from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eyewall.base import log
from eyewall.base.context import request_id
from eyewall.base.log import (
    JSONFormatter,
    LogFormatter,
    RequestIdFilter,
    define_logging_options,
    enable_pretty_logging,
    install_request_ids,
)
from eyewall.base.optionparser import Error, OptionParser


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger of the test's own, whose handlers are closed behind it."""
    own = logging.Logger("test")
    yield own
    for handler in own.handlers:
        handler.close()


def lines(logger: logging.Logger, formatter: logging.Formatter, *filters: logging.Filter) -> io.StringIO:
    """What `logger` writes from now on."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    for each in filters:
        handler.addFilter(each)
    logger.addHandler(handler)
    return out


@pytest.fixture
def in_request() -> Iterator[None]:
    token = request_id.set("r-17")
    yield
    request_id.reset(token)


class TestLogFormatter:
    def test_a_line(self, logger: logging.Logger) -> None:
        out = lines(logger, LogFormatter(color=False))
        logger.warning("%s and %d", "this", 2)
        assert out.getvalue().startswith("[W ")
        prefix, _, message = out.getvalue().partition("] ")
        assert message == "this and 2\n"
        level, date, time, place = prefix[1:].split(" ")
        assert (level, len(date), len(time)) == ("W", 6, 8)
        assert place.rpartition(":")[0] == "test_log"

    def test_formats_of_every_style(self, logger: logging.Logger) -> None:
        record = logger.makeRecord("test", logging.INFO, "a.py", 7, "hello", (), None)
        assert LogFormatter("%(levelname)s %(message)s", color=False).format(record) == "INFO hello"
        assert LogFormatter("{levelname} {message}", style="{", color=False).format(record) == "INFO hello"
        assert LogFormatter("$levelname $message", style="$", color=False).format(record) == "INFO hello"
        assert len(LogFormatter("%(asctime)s", datefmt="%Y", color=False).format(record)) == 4

    def test_a_message_cannot_pass_for_another_record(self, logger: logging.Logger) -> None:
        out = lines(logger, LogFormatter(color=False))
        logger.error("one\n[I 240101 00:00:00 web:1] 200 GET /")
        assert [line.startswith("[") for line in out.getvalue().splitlines()] == [True, False]

    def test_exceptions_follow_indented(self, logger: logging.Logger) -> None:
        out = lines(logger, LogFormatter(color=False))
        try:
            raise ValueError("it broke")
        except ValueError:
            logger.exception("what happened", stack_info=True)
        first, *others = out.getvalue().splitlines()
        assert first.endswith("] what happened")
        assert all(line.startswith("    ") for line in others)
        assert any("ValueError: it broke" in line for line in others)
        assert any("Stack (most recent call last)" in line for line in others)

    def test_a_wrong_call_does_not_lose_the_line(self, logger: logging.Logger) -> None:
        class Broken:
            def __str__(self) -> str:
                raise RuntimeError("no text for me")

        out = lines(logger, LogFormatter(color=False))
        logger.error("%d items", "many")
        logger.error("item %s", Broken())
        first, second = out.getvalue().splitlines()
        assert "Bad message" in first
        assert "'%d items'" in first
        assert "no text for me" in second

    def test_colour_is_for_terminals(self, monkeypatch: pytest.MonkeyPatch, logger: logging.Logger) -> None:
        record = logger.makeRecord("test", logging.ERROR, "a.py", 7, "hello", (), None)
        fmt = "%(color)sX%(end_color)s"
        monkeypatch.setattr(sys, "stderr", SimpleNamespace(isatty=lambda: True))
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.delenv("NO_COLOR", raising=False)
        assert LogFormatter(fmt).format(record) == "\x1b[31mX\x1b[0m"
        assert LogFormatter(fmt, colors={logging.ERROR: 6}).format(record) == "\x1b[36mX\x1b[0m"
        assert LogFormatter(fmt, colors={}).format(record) == "X"
        assert LogFormatter(fmt, color=False).format(record) == "X"
        monkeypatch.setenv("NO_COLOR", "1")
        assert LogFormatter(fmt).format(record) == "X"
        monkeypatch.delenv("NO_COLOR")
        monkeypatch.setenv("TERM", "dumb")
        assert LogFormatter(fmt).format(record) == "X"
        monkeypatch.setenv("TERM", "xterm")
        for stream in (SimpleNamespace(isatty=lambda: False), None):
            monkeypatch.setattr(sys, "stderr", stream)
            assert LogFormatter(fmt).format(record) == "X"

    @pytest.mark.usefixtures("in_request")
    def test_the_request_is_named(self, logger: logging.Logger) -> None:
        out = lines(logger, LogFormatter(color=False))
        logger.info("hello")
        assert out.getvalue().endswith("] (r-17) hello\n")

    @pytest.mark.usefixtures("in_request")
    def test_a_format_may_place_the_request_itself(self, logger: logging.Logger) -> None:
        out = lines(logger, LogFormatter("%(request_id)s|%(message)s", color=False))
        logger.info("hello")
        assert out.getvalue() == "r-17|hello\n"


class TestJSONFormatter:
    def entry(self, out: io.StringIO) -> dict[str, Any]:
        text = out.getvalue()
        assert text.count("\n") == 1
        found: dict[str, Any] = json.loads(text)
        return found

    def test_an_entry(self, logger: logging.Logger) -> None:
        formatter = JSONFormatter()
        record = logger.makeRecord("tornado.access", logging.INFO, "/x/web.py", 7, "%s\n%d", ("a", 1), None)
        record.created, record.msecs = 784111777.25, 250.0
        assert json.loads(formatter.format(record)) == {
            "time": "1994-11-06T08:49:37.250Z",
            "level": "info",
            "logger": "tornado.access",
            "message": "a\n1",
            "where": "web.py:7",
        }

    def test_what_is_extra_is_added(self, logger: logging.Logger) -> None:
        out = lines(logger, JSONFormatter())
        logger.info("hello", extra={"status": 200, "peer": {1, 2}, "level": "no", "nested": {"a": [b"x"]}})
        entry = self.entry(out)
        assert (entry["status"], entry["level"]) == (200, "info")
        assert entry["peer"] == repr({1, 2})
        assert entry["nested"] == repr({"a": [b"x"]})

    def test_exceptions(self, logger: logging.Logger) -> None:
        out = lines(logger, JSONFormatter())
        try:
            raise ValueError("it broke")
        except ValueError:
            logger.exception("what happened", stack_info=True)
        entry = self.entry(out)
        assert entry["exception"].endswith("ValueError: it broke")
        assert "test_exceptions" in entry["stack"]

    @pytest.mark.usefixtures("in_request")
    def test_the_request_is_named(self, logger: logging.Logger) -> None:
        out = lines(logger, JSONFormatter())
        logger.info("hello")
        assert self.entry(out)["request_id"] == "r-17"

    def test_a_wrong_call_does_not_lose_the_line(self, logger: logging.Logger) -> None:
        out = lines(logger, JSONFormatter())
        logger.error("%d items", "many")
        assert "Bad message" in self.entry(out)["message"]


class TestRequestIds:
    def in_another_thread(self, formatter: logging.Formatter, record: logging.LogRecord) -> str:
        texts: list[str] = []
        thread = threading.Thread(target=lambda: texts.append(formatter.format(record)))
        thread.start()
        thread.join()
        return texts[0]

    @pytest.mark.usefixtures("in_request")
    def test_the_filter_takes_it_where_the_record_is_made(self) -> None:
        record = logging.makeLogRecord({"msg": "hello"})
        assert RequestIdFilter().filter(record)
        assert self.in_another_thread(LogFormatter("%(message)s", color=False), record) == "(r-17) hello"

    @pytest.mark.usefixtures("in_request")
    def test_the_filter_leaves_one_that_is_there(self) -> None:
        record = logging.makeLogRecord({"msg": "hello", "request_id": "earlier"})
        assert RequestIdFilter().filter(record)
        assert log.request_id_of(record) == "earlier"

    @pytest.mark.usefixtures("in_request")
    def test_the_record_factory_takes_it_for_all_loggers(self, logger: logging.Logger) -> None:
        factory = logging.getLogRecordFactory()
        remove = install_request_ids()
        try:
            record = logger.makeRecord("test", logging.INFO, "a.py", 7, "hello", (), None)
        finally:
            remove()
        assert logging.getLogRecordFactory() is factory
        assert self.in_another_thread(LogFormatter("%(message)s", color=False), record) == "(r-17) hello"

    def test_outside_of_requests_there_is_none(self, logger: logging.Logger) -> None:
        out = lines(logger, LogFormatter("%(request_id)s %(message)s", color=False), RequestIdFilter())
        logger.info("hello")
        assert out.getvalue() == "None hello\n"


class TestEnablePrettyLogging:
    @pytest.fixture
    def options(self) -> OptionParser:
        options = OptionParser()
        define_logging_options(options)
        return options

    def test_standard_error_is_the_default(
        self, options: OptionParser, logger: logging.Logger, capsys: pytest.CaptureFixture[str]
    ) -> None:
        options.logging = "warning"
        enable_pretty_logging(options, logger)
        logger.info("not this")
        logger.warning("but this")
        assert capsys.readouterr().err.endswith("] but this\n")

    def test_a_handler_that_is_there_is_enough(self, options: OptionParser, logger: logging.Logger) -> None:
        logger.addHandler(logging.NullHandler())
        enable_pretty_logging(options, logger)
        assert len(logger.handlers) == 1
        options.log_to_stderr = True
        enable_pretty_logging(options, logger)
        assert len(logger.handlers) == 2

    @pytest.mark.parametrize("level", [None, "none", "None"])
    def test_none_touches_nothing(
        self, options: OptionParser, logger: logging.Logger, level: str | None
    ) -> None:
        options.logging = level
        enable_pretty_logging(options, logger)
        assert logger.handlers == []
        assert logger.level == logging.NOTSET

    @pytest.mark.parametrize("mode", ["size", "time"])
    def test_files(self, options: OptionParser, logger: logging.Logger, tmp_path: Path, mode: str) -> None:
        options.log_file_prefix = str(tmp_path / "log")
        options.log_rotate_mode = mode
        enable_pretty_logging(options, logger)
        logger.info("né")
        assert len(logger.handlers) == 1
        assert (tmp_path / "log").read_text("utf-8").endswith("] né\n")

    def test_files_are_rotated_by_size(
        self, options: OptionParser, logger: logging.Logger, tmp_path: Path
    ) -> None:
        options.log_file_prefix = str(tmp_path / "log")
        options.log_file_max_size = 100
        options.log_file_num_backups = 2
        enable_pretty_logging(options, logger)
        for _ in range(10):
            logger.info("x" * 90)
        assert sorted(file.name for file in tmp_path.iterdir()) == ["log", "log.1", "log.2"]

    def test_json(self, options: OptionParser, logger: logging.Logger, tmp_path: Path) -> None:
        options.log_file_prefix = str(tmp_path / "log")
        options.log_format = "json"
        enable_pretty_logging(options, logger)
        logger.info("hello")
        assert json.loads((tmp_path / "log").read_text())["message"] == "hello"

    def test_options_of_another_kind_will_do(self, logger: logging.Logger) -> None:
        enable_pretty_logging(
            SimpleNamespace(logging="info", log_file_prefix=None, log_to_stderr=False), logger
        )
        assert logger.level == logging.INFO
        assert logger.handlers == []

    @pytest.mark.parametrize(("name", "value"), [("log_rotate_mode", "moon"), ("log_format", "xml")])
    def test_what_does_not_exist_is_refused(
        self, options: OptionParser, logger: logging.Logger, tmp_path: Path, name: str, value: str
    ) -> None:
        options.log_file_prefix = str(tmp_path / "log")
        options[name] = value
        with pytest.raises(ValueError, match=value):
            enable_pretty_logging(options, logger)
        assert logger.handlers == []

    def test_the_options_of_the_process_have_them_already(self) -> None:
        with pytest.raises(Error, match="already defined"):
            define_logging_options()


@pytest.mark.parametrize(
    ("statement", "arguments", "logged"),
    [
        ("pass", [], False),
        ("parse_command_line()", [], True),
        ("parse_command_line(final=False)", [], False),
        ("parse_command_line()", ["--logging=None"], False),
        ("options.logging = None; parse_command_line()", [], False),
        ("options.logging = None; parse_command_line()", ["--logging=info"], True),
    ],
)
def test_parsing_the_command_line_turns_logging_on(
    statement: str, arguments: list[str], logged: bool
) -> None:
    program = (
        "import logging; from eyewall.base.options import options, parse_command_line; "
        f"{statement}; logging.info('hello')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, check=True, text=True
    )
    assert ("hello" in done.stderr) is logged


def test_loggers_do_not_bring_the_machinery_of_main_programs_along() -> None:
    # What `logging` itself brings along depends on the version.
    program = (
        "import sys, logging; before = set(sys.modules); import eyewall.base.log; "
        "print([n for n in sys.argv[1:] if n in sys.modules and n not in before])"
    )
    heavy = [
        "logging.handlers",
        "eyewall.base.options",
        "html",
        "urllib.parse",
        "email",
        "inspect",
        "argparse",
    ]
    done = subprocess.run([sys.executable, "-c", program, *heavy], capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"


def test_the_names_of_the_loggers() -> None:
    names = [each.name for each in (log.access_log, log.app_log, log.gen_log)]
    assert names == ["tornado.access", "tornado.application", "tornado.general"]
