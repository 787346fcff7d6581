"""`eyewall config`, and the one precedence that it prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from eyewall.cli import main
from eyewall.cli import run as run_module
from eyewall.cli.configfile import key_of
from eyewall.cli.settings import Settings

pytestmark = pytest.mark.one_build


def call(*args: str, env: dict[str, str] | None = None) -> Any:
    return CliRunner().invoke(main, list(args), env=env)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(*args: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    result = call("config", "--format", "json", *args, env=env)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.output)
    return found


def test_one_precedence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Settings] = []
    monkeypatch.setattr(run_module, "serve", lambda settings: served.append(settings) or 0)
    file = folder / "eyewall.toml"
    file.write_text('port = 1\ntarget = "a:b"\n')
    env = {"EYEWALL_PORT": "2"}
    expected = [
        ((), None, {"value": 1, "source": "file", "from": str(file)}),
        ((), env, {"value": 2, "source": "environment", "from": "EYEWALL_PORT"}),
        (("--port", "3"), env, {"value": 3, "source": "command line", "from": None}),
        (("--config", "/dev/null"), None, {"value": 8000, "source": "default", "from": None}),
    ]
    for args, variables, port in expected:
        assert told("a:b", *args, env=variables)["options"]["port"] == port
        assert call("run", "a:b", *args, env=variables).exit_code == 0
    assert [each.port for each in served] == [1, 2, 3, None]


def test_every_option_is_told_with_its_value(folder: Path) -> None:
    options = told()["options"]
    assert list(options) == [key_of(each) for each in run_module.run.params if key_of(each) != "config"]
    assert {each["source"] for each in options.values()} == {"default"}
    assert options["host"]["value"] == ["127.0.0.1"]
    assert options["drain-timeout"]["value"] == 30
    assert options["reload-suffix"]["value"] == [".py", ".html"]
    assert options["unix-mode"]["value"] == "600"


def test_defaults_that_depend_on_others(folder: Path) -> None:
    options = told("--reload", "--unix", "a.sock")["options"]
    assert options["drain-timeout"]["value"] == 1
    assert options["host"]["value"] is None
    assert options["port"]["value"] is None


def test_as_text(folder: Path) -> None:
    (folder / "eyewall.toml").write_text('log-level = "debug"\n')
    result = call("config", "--no-doctor", env={"EYEWALL_HOST": "a b"})
    lines = result.output.splitlines()
    assert lines[0] == f"File: {folder}/eyewall.toml"
    rows = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines[1:]}
    assert rows["log-level"].split() == ["debug", "file"]
    assert rows["doctor"].split() == ["no", "command", "line"]
    assert rows["host"].split() == ["a", "b", "environment", "(EYEWALL_HOST)"]
    assert rows["tls-cert"].split() == ["-", "default"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_secrets_are_not_told(folder: Path, form: str) -> None:
    (folder / "eyewall.toml").write_text('health = "/h"\nhealth-token = "s3cret"\n')
    result = call("config", "--format", form)
    assert "s3cret" not in result.output
    assert "(hidden)" in result.output


def test_the_target_can_be_in_the_file_or_in_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[Settings] = []
    monkeypatch.setattr(run_module, "serve", lambda settings: served.append(settings) or 0)
    (folder / "eyewall.toml").write_text('target = "app.py"\n')
    call("run")
    call("run", env={"EYEWALL_TARGET": "shop:app"})
    call("run", "other:app", env={"EYEWALL_TARGET": "shop:app"})
    assert [each.target for each in served] == [f"{folder}/app.py", "shop:app", "other:app"]
    assert served[0].app_dir == str(folder)


def test_without_a_target_it_says_where_one_could_be(folder: Path) -> None:
    result = call("run")
    assert result.exit_code == 2
    assert 'target = "app.py:app" in eyewall.toml' in result.output


@pytest.mark.parametrize("command", ["run", "config"])
@pytest.mark.parametrize(
    ("text", "env", "said"),
    [
        ("prot = 1", {}, "eyewall.toml: there is no key 'prot'"),
        ("", {"EYEWALL_PORT": "x"}, "(from the environment: EYEWALL_PORT)"),
        ("", {"EYEWALL_LIMIT": "x=1"}, "(from the environment: EYEWALL_LIMIT)"),
        ("forwarded = true\nxheaders = true", {}, "eyewall.toml)"),
    ],
)
def test_a_mistake_is_said_with_its_place(
    folder: Path, command: str, text: str, env: dict[str, str], said: str
) -> None:
    (folder / "eyewall.toml").write_text(text)
    result = call(command, "app", env=env)
    assert result.exit_code == 2
    assert said in result.output


def test_help_does_not_need_a_good_file(folder: Path) -> None:
    (folder / "eyewall.toml").write_text("prot = 1")
    assert call("run", "--help").exit_code == 0


def test_it_takes_what_run_takes() -> None:
    config = main.get_command(click.Context(main), "config")
    assert config is not None
    assert set(run_module.run.params) < set(config.params)
