from __future__ import annotations

import datetime
import io
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base import options as process_options
from eyewall.base.optionparser import Error, OptionParser
from eyewall.base.optionvalue import LONGEST_RANGE, parse_datetime, parse_list, parse_timedelta


@pytest.fixture
def options() -> OptionParser:
    return OptionParser()


class Address:
    def __init__(self, text: str) -> None:
        if "@" not in text:
            raise ValueError("no @ in it")
        self.text = text


class TestCommandLine:
    def test_values_and_what_is_left(self, options: OptionParser) -> None:
        options.define("port", default=80)
        options.define("name")
        assert options.parse_command_line(["prog", "--port=81", "-name=a=b", "run", "--port=9"]) == [
            "run",
            "--port=9",
        ]
        assert (options.port, options.name) == (81, "a=b")

    def test_two_dashes_end_the_options(self, options: OptionParser) -> None:
        options.define("port", default=80)
        assert options.parse_command_line(["prog", "--port=1", "--", "--port=2"]) == ["--port=2"]
        assert options.port == 1

    def test_no_arguments(self, options: OptionParser) -> None:
        assert options.parse_command_line([]) == []
        assert options.parse_command_line(["prog"]) == []

    def test_the_arguments_of_the_process_are_the_default(
        self, options: OptionParser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        options.define("port", default=80)
        monkeypatch.setattr(sys, "argv", ["prog", "--port=82"])
        options.parse_command_line()
        assert options.port == 82

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("--flag", True),
            ("--flag=true", True),
            ("--flag=yes", True),
            ("--flag=false", False),
            ("--flag=F", False),
            ("--flag=0", False),
        ],
    )
    def test_flags(self, options: OptionParser, text: str, value: bool) -> None:
        options.define("flag", type=bool)
        options.parse_command_line(["prog", text])
        assert options.flag is value

    def test_an_unknown_option_shows_the_help(
        self, options: OptionParser, capsys: pytest.CaptureFixture[str]
    ) -> None:
        options.define("port", default=80)
        with pytest.raises(Error, match="--prot"):
            options.parse_command_line(["prog", "--prot=1"])
        assert "--port" in capsys.readouterr().err

    def test_only_flags_go_without_a_value(self, options: OptionParser) -> None:
        options.define("port", default=80)
        with pytest.raises(Error, match=r"--port.*needs a value"):
            options.parse_command_line(["prog", "--port"])

    @pytest.mark.parametrize(
        "text", ["--port=x", "--port=", "--at=noon", "--wait=1 eon", "--wait=", "--to=me"]
    )
    def test_a_wrong_value_names_the_option(self, options: OptionParser, text: str) -> None:
        options.define("port", type=int)
        options.define("at", type=datetime.datetime)
        options.define("wait", type=datetime.timedelta)
        options.define("to", type=Address)
        with pytest.raises(Error, match=text[2:].partition("=")[0]):
            options.parse_command_line(["prog", text])

    def test_help_ends_the_program(self, options: OptionParser, capsys: pytest.CaptureFixture[str]) -> None:
        options.define("port", default=80, metavar="N", help="where to listen", group="net")
        with pytest.raises(SystemExit) as caught:
            options.parse_command_line(["prog", "--help"])
        assert caught.value.code == 0
        shown = capsys.readouterr().err
        assert "Usage:" in shown
        assert "net options:" in shown
        assert "--port=N" in shown
        assert "where to listen (default 80)" in shown

    def test_types(self, options: OptionParser) -> None:
        options.define("ratio", default=0.5)
        options.define("at", type=datetime.datetime)
        options.define("wait", type=datetime.timedelta)
        options.define("to", type=Address)
        options.define("ports", type=int, multiple=True)
        options.define("names", multiple=True)
        options.parse_command_line(
            [
                "prog",
                "--ratio=2",
                "--at=2024-01-31 12:30",
                "--wait=1h 30m",
                "--to=a@b",
                "--ports=1,5:7",
                "--names=a,b",
            ]
        )
        assert options.ratio == 2.0
        assert options.at == datetime.datetime(2024, 1, 31, 12, 30)
        assert options.wait == datetime.timedelta(minutes=90)
        assert options.to.text == "a@b"
        assert options.ports == [1, 5, 6, 7]
        assert options.names == ["a", "b"]


class TestValues:
    @given(st.datetimes(datetime.datetime(1000, 1, 1)).map(lambda at: at.replace(microsecond=0)))
    def test_datetimes(self, at: datetime.datetime) -> None:
        for form in ("%Y-%m-%d %H:%M:%S", "%Y%m%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%a %b %d %H:%M:%S %Y"):
            assert parse_datetime(at.strftime(form)) == at
        minute = at.replace(second=0)
        for form in ("%Y-%m-%d %H:%M", "%Y%m%d %H:%M", "%Y-%m-%dT%H:%M"):
            assert parse_datetime(minute.strftime(form)) == minute
        day = minute.replace(hour=0, minute=0)
        for form in ("%Y-%m-%d", "%Y%m%d"):
            assert parse_datetime(day.strftime(form)) == day

    @pytest.mark.parametrize(("text", "hour", "second"), [("12:30:15", 12, 15), ("23:30", 23, 0)])
    def test_times_without_a_day(self, text: str, hour: int, second: int) -> None:
        at = parse_datetime(text)
        assert (at.hour, at.minute, at.second) == (hour, 30, second)

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("45", 45),
            ("45s", 45),
            ("1.5 min", 90),
            ("2h 5m", 7500),
            ("1 day, 1", None),
            ("1 days 1sec", 86401),
            ("1w", 604800),
            ("250ms", 0.25),
            ("250 us", 0.00025),
            ("-1h30m", -1800),
            ("1e3 milliseconds", 1),
            ("h", None),
            ("1x", None),
            (" ", None),
            ("1e999", None),
        ],
    )
    def test_lengths_of_time(self, text: str, seconds: float | None) -> None:
        if seconds is None:
            with pytest.raises((ValueError, OverflowError)):
                parse_timedelta(text)
        else:
            assert parse_timedelta(text).total_seconds() == seconds

    def test_ranges_have_a_limit(self) -> None:
        assert len(parse_list(f"1:{LONGEST_RANGE}", int)) == LONGEST_RANGE
        with pytest.raises(ValueError, match="more than"):
            parse_list(f"0:{LONGEST_RANGE}", int)
        assert parse_list("a:b", str) == ["a:b"]
        assert parse_list("7:", int) == [7]


class TestAccess:
    def test_dashes_and_underscores_are_the_same(self, options: OptionParser) -> None:
        options.define("max-age", default=1)
        options.define("min_age", default=0)
        options.parse_command_line(["prog", "--max_age=5", "--min-age=4"])
        assert options.max_age == options["max-age"] == options["max_age"] == 5
        assert options.min_age == options["min-age"] == 4
        assert "max_age" in options
        assert "max-age" in options
        assert "other" not in options
        assert sorted(options) == ["help", "max-age", "min_age"]

    def test_setting_checks_the_type(self, options: OptionParser) -> None:
        options.define("port", default=80)
        options.define("names", multiple=True)
        options.port = 81
        options["names"] = ["a"]
        options["port"] = None
        assert (options.port, options.names) == (None, ["a"])
        for name, value in (("port", "82"), ("names", "a"), ("names", [1])):
            with pytest.raises(Error, match=name):
                options[name] = value

    def test_what_is_not_defined(self, options: OptionParser) -> None:
        with pytest.raises(AttributeError, match="port"):
            _ = options.port
        with pytest.raises(AttributeError, match="port"):
            options.port = 1
        with pytest.raises(KeyError):
            _ = options["port"]
        with pytest.raises(KeyError):
            options["port"] = 1
        assert not hasattr(options, "__wrapped__")

    def test_a_multiple_option_begins_empty(self, options: OptionParser) -> None:
        options.define("names", multiple=True)
        assert options.names == []

    def test_introspection(self, options: OptionParser) -> None:
        options.define("a", default=1)
        options.define("b-c", default=2, group="more")
        assert options.groups() == {"", "more", __file__}
        assert options.group_dict("more") == {"b-c": 2}
        assert options.group_dict("none") == {}
        assert (
            options.group_dict("")
            == options.as_dict()
            == dict(options.items())
            == {"help": None, "a": 1, "b-c": 2}
        )

    @pytest.mark.parametrize(("first", "second"), [("a-b", "a_b"), ("a_b", "a-b"), ("a-b", "a-b")])
    def test_defining_twice_is_an_error(self, options: OptionParser, first: str, second: str) -> None:
        options.define(first)
        with pytest.raises(Error, match=r"Option.*a.b.*already defined in .*test_options"):
            options.define(second)

    def test_callbacks_hear_of_every_value(self, options: OptionParser) -> None:
        heard: list[Any] = []
        options.define("port", default=80, callback=heard.append)
        options.define("ports", type=int, multiple=True, callback=heard.append)
        options.parse_command_line(["prog", "--port=1", "--ports=2,3"])
        options.port = 4
        assert heard == [1, [2, 3], 4]

    def test_patching_puts_back_what_was_there(self, options: OptionParser) -> None:
        options.define("port", default=80)
        options.port = 81
        with mock.patch.object(options.mockable(), "port", 82):
            assert options.port == 82
            options.port = 83
            with mock.patch.object(options.mockable(), "port", 84):
                assert options.port == 84
            assert options.port == 83
        assert options.port == 81

    def test_nesting_patches_of_one_object(self, options: OptionParser) -> None:
        options.define("port", default=80)
        patchable = options.mockable()
        with mock.patch.object(patchable, "port", 81), mock.patch.object(patchable, "port", 82):
            assert options.port == 82
        assert options.port == 80
        with pytest.raises(AttributeError, match="not patched"):
            del patchable.port


class TestConfigFile:
    def parse(self, options: OptionParser, tmp_path: Path, source: str, **more: Any) -> None:
        file = tmp_path / "server.conf"
        file.write_text(source, "utf-8")
        options.parse_config_file(str(file), **more)

    def test_names_become_options(self, options: OptionParser, tmp_path: Path) -> None:
        options.define("port", default=80)
        options.define("user-name")
        options.define("place")
        options.define("wait", type=datetime.timedelta)
        options.define("ports", type=int, multiple=True)
        options.define("names", multiple=True)
        self.parse(
            options,
            tmp_path,
            "other = 1\nport = 40 + 41\nuser_name = '李'\nplace = __file__\n"
            "wait = '45s'\nports = '1,2:3'\nnames = ['a,b']\n",
        )
        assert (options.port, options["user-name"]) == (81, "李")
        assert options.place == str(tmp_path / "server.conf")
        assert options.wait == datetime.timedelta(seconds=45)
        assert (options.ports, options.names) == ([1, 2, 3], ["a,b"])

    def test_values_of_the_type_are_taken_as_they_are(self, options: OptionParser, tmp_path: Path) -> None:
        options.define("at", type=datetime.datetime)
        self.parse(options, tmp_path, "import datetime\nat = datetime.datetime(2024, 1, 31)\n")
        assert options.at == datetime.datetime(2024, 1, 31)

    @pytest.mark.parametrize("source", ["port = 1.5", "names = 1", "names = [1]", "port = 'x'"])
    def test_wrong_values_are_refused(self, options: OptionParser, tmp_path: Path, source: str) -> None:
        options.define("port", default=80)
        options.define("names", multiple=True)
        with pytest.raises(Error, match=source.split()[0]):
            self.parse(options, tmp_path, source)

    def test_parse_callbacks(self, options: OptionParser, tmp_path: Path) -> None:
        heard: list[str] = []
        options.add_parse_callback(lambda: heard.append("first"))
        options.add_parse_callback(lambda: heard.append("second"))
        self.parse(options, tmp_path, "", final=False)
        options.parse_command_line(["prog"], final=False)
        assert heard == []
        self.parse(options, tmp_path, "")
        options.parse_command_line(["prog"])
        assert heard == ["first", "second"] * 2
        options.run_parse_callbacks()
        assert heard == ["first", "second"] * 3


def test_the_options_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    own = OptionParser()
    monkeypatch.setattr(process_options, "options", own)
    heard: list[str] = []
    process_options.define("port", default=80, help="where to listen")
    process_options.add_parse_callback(lambda: heard.append("done"))
    assert process_options.parse_command_line(["prog", "--port=81", "rest"]) == ["rest"]
    assert (own.port, heard) == (81, ["done"])
    assert __file__ in own.groups()
    out = io.StringIO()
    process_options.print_help(out)
    assert "where to listen" in out.getvalue()


def test_the_logging_options_are_defined_from_the_start() -> None:
    expected = {
        "logging": "info",
        "log_to_stderr": None,
        "log_file_prefix": None,
        "log_file_max_size": 100_000_000,
        "log_file_num_backups": 10,
        "log_rotate_when": "midnight",
        "log_rotate_interval": 1,
        "log_rotate_mode": "size",
    }
    assert {name: process_options.options[name] for name in expected} == expected
