"""The command line itself: which commands and options there are, and where their values come from."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import click
import pytest
from click.testing import CliRunner

from eyewall._version import VERSION
from eyewall.cli import main
from eyewall.cli import run as run_module
from eyewall.cli.exits import ExitCode, describe
from eyewall.cli.settings import Settings

#: Renaming or removing one of these breaks somebody's deployment.
OPTIONS = [
    "--app-dir",
    "--config",
    "--executor",
    "--factory",
    "--no-factory",
    "--interface",
    "--wsgi-threads",
    "--host",
    "--port",
    "-p",
    "--unix",
    "--unix-mode",
    "--fd",
    "--tls-cert",
    "--tls-key",
    "--tls-key-password",
    "--tls-ca",
    "--processes",
    "--drain-timeout",
    "--reload",
    "--no-reload",
    "--reload-dir",
    "--reload-suffix",
    "--log-format",
    "--log-level",
    "--access-log",
    "--no-access-log",
    "--doctor",
    "--no-doctor",
    "--request-ids",
    "--no-request-ids",
    "--health",
    "--health-port",
    "--health-host",
    "--health-token",
    "--health-exclude",
    "--no-health-exclude",
    "--metrics",
    "--metrics-token",
    "--dashboard",
    "--dashboard-token",
    "--xheaders",
    "--no-xheaders",
    "--forwarded",
    "--no-forwarded",
    "--trusted-proxy",
    "--protocol",
    "--profile",
    "--limit",
    "--shed",
    "--keep-alive",
    "--no-keep-alive",
    "--decompress-request",
    "--no-decompress-request",
    "--loop",
]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """What was asked to be served."""
    found: list[Settings] = []

    def serve(settings: Settings) -> int:
        found.append(settings)
        return 0

    monkeypatch.setattr(run_module, "serve", serve)
    return found


def call(*args: str, env: dict[str, str] | None = None) -> Any:
    return CliRunner().invoke(main, list(args), env=env)


def test_the_options_of_run() -> None:
    command = run_module.run
    found = [
        name
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    ]
    assert sorted(found) == sorted(OPTIONS)


def test_every_option_can_be_set_in_the_environment() -> None:
    for parameter in run_module.run.params:
        if isinstance(parameter, click.Option):
            longest = next(name for name in parameter.opts if name.startswith("--"))
            assert parameter.envvar == "EYEWALL_" + longest[2:].upper().replace("-", "_")


def test_help_says_all_of_it() -> None:
    result = call("run", "--help")
    assert result.exit_code == 0
    for word in [
        *OPTIONS,
        "SIGTERM",
        "SIGHUP",
        "EYEWALL_LOG_FORMAT",
        *(f"  {code.value}  " for code in ExitCode),
    ]:
        assert word in result.output
    result = call("--help")
    assert "run" in result.output
    assert "version" in result.output


@pytest.mark.parametrize(
    ("args", "address", "target"),
    [
        (("app", "--dashboard"), ("127.0.0.1", 0), "app"),
        (("--dashboard", "app:app"), ("127.0.0.1", 0), "app:app"),
        (("--dashboard", "--port", "82", "app"), ("127.0.0.1", 0), "app"),
        (("--dashboard", "9000", "app"), ("127.0.0.1", 9000), "app"),
        (("--dashboard", "[::1]:9000", "app"), ("::1", 9000), "app"),
        (("--dashboard=off", "app"), None, "app"),
        (("app",), None, "app"),
    ],
)
def test_the_dashboard_s_address_may_be_left_away(
    served: list[Settings], args: tuple[str, ...], address: tuple[str, int] | None, target: str
) -> None:
    assert call("run", *args).exit_code == 0
    assert [(each.dashboard_address, each.target) for each in served] == [(address, target)]


def test_the_command_line_comes_before_the_environment_and_that_before_the_defaults(
    served: list[Settings],
) -> None:
    env = {
        "EYEWALL_PORT": "81",
        "EYEWALL_HOST": "a b",
        "EYEWALL_LIMIT": "head_fields=1",
        "EYEWALL_ACCESS_LOG": "0",
    }
    assert call("run", "app", env=env).exit_code == 0
    assert call("run", "app", "--port", "82", "--host", "c", "--access-log", env=env).exit_code == 0
    assert call("run", "app").exit_code == 0
    assert [each.port for each in served] == [81, 82, None]
    assert [each.hosts for each in served] == [("a", "b"), ("c",), ()]
    assert [each.access_log for each in served] == [False, True, True]
    assert [each.limits for each in served] == [{"head_fields": 1}, {"head_fields": 1}, {}]


def test_the_defaults_of_the_command_line_are_those_of_the_settings(served: list[Settings]) -> None:
    call("run", "app")
    call("run", "app", "--reload")
    assert served[0] == Settings(target="app")
    assert served[1].drain_timeout < served[0].drain_timeout


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("app", "--port", "65536"),
        ("app", "--limit", "nothing=1"),
        ("app", "--interface", "cgi"),
        ("app", "--shed", "perhaps"),
        ("app", "--unix-mode", "9"),
        ("app", "--reload", "--processes", "3"),
        ("app", "--no-such-option"),
    ],
)
def test_mistakes_are_explained(served: list[Settings], args: tuple[str, ...]) -> None:
    result = call("run", *args)
    assert result.exit_code == 2
    assert "Error" in result.output
    assert served == []


def test_the_mode_of_unix_sockets_is_octal(served: list[Settings]) -> None:
    call("run", "app", "--unix-mode", "660")
    assert served[0].unix_mode == 0o660


def test_versions() -> None:
    assert VERSION in call("--version").output
    result = call("version")
    assert VERSION in result.output
    assert "loop: " in result.output
    done = subprocess.run(
        [sys.executable, "-m", "eyewall", "version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == result.output


def test_a_command_that_does_not_exist() -> None:
    result = call("rum", "app")
    assert result.exit_code == 2
    assert "rum" in result.output


@pytest.mark.parametrize(
    ("status", "said"), [(0, "exit code 0"), (3 << 8, "exit code 3"), (9, "killed by SIGKILL")]
)
def test_ends_in_words(status: int, said: str) -> None:
    assert said in describe(status)


def test_nothing_of_the_library_needs_the_command_line() -> None:
    code = (
        "import sys, eyewall.web.application; print([m for m in sys.modules if 'click' in m or '.cli' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
