"""What a configuration file may say, where it is found, and what is said of one that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.cli import configfile
from eyewall.cli.configfile import ConfigError, defaults_from, find, keys
from eyewall.cli.run import run
from eyewall.guard.profile import Profile

pytestmark = pytest.mark.one_build


def read(folder: Path, text: str, name: str = "eyewall.toml") -> dict[str, Any]:
    file = folder / name
    file.write_text(text)
    return defaults_from(file, run, click.Context(run))


def test_values_of_every_kind(tmp_path: Path) -> None:
    said = read(
        tmp_path,
        """
        port = 9000
        host = ["a", "b"]
        fd = 3
        log_format = "json"
        access-log = false
        drain-timeout = 2.5
        unix-mode = "660"
        trusted-proxy = "10.0.0.1"
        """,
    )
    assert said == {
        "port": 9000,
        "hosts": ["a", "b"],
        "fds": [3],
        "log_format": "json",
        "access_log": False,
        "drain_timeout": 2.5,
        "unix_mode": "660",
        "trusted_proxies": ["10.0.0.1"],
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", "on"), ("false", "off"), ("9000", "9000"), ('"127.0.0.1:9000"', "127.0.0.1:9000")],
)
def test_the_dashboard_has_an_address_or_none(tmp_path: Path, text: str, value: str) -> None:
    assert read(tmp_path, f"dashboard = {text}") == {"dashboard": value}


def test_paths_are_those_of_the_file(tmp_path: Path) -> None:
    said = read(
        tmp_path,
        """
        target = "web/app.py:make"
        tls-cert = "cert.pem"
        reload-dir = ["a", "/b"]
        unix = ["run/web.sock", "@web"]
        """,
    )
    assert said["target"] == f"{tmp_path}/web/app.py:make"
    assert said["app_dir"] == str(tmp_path)
    assert said["tls_cert"] == f"{tmp_path}/cert.pem"
    assert said["reload_dirs"] == [f"{tmp_path}/a", "/b"]
    assert said["unix"] == [f"{tmp_path}/run/web.sock", "@web"]
    assert read(tmp_path, 'target = "shop.web:app"')["target"] == "shop.web:app"


@pytest.mark.parametrize(
    "text",
    [
        'limit = { body_bytes = "1G", head_fields = 7, bare_lf = true }',
        'limit = ["body_bytes=1G", "head_fields=7", "bare_lf=on"]',
        '[limit]\nbody_bytes = "1G"\nhead_fields = 7\nbare_lf = true',
    ],
)
def test_limits(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text)["limits"] == ["body_bytes=1G", "head_fields=7", "bare_lf=on"]


@pytest.mark.parametrize(
    "text",
    [
        'executor = "cpu=processes,workers=4"',
        'executor = ["cpu=processes,workers=4"]',
        'executor = { cpu = "processes,workers=4" }',
        '[executor.cpu]\nmedium = "processes"\nworkers = 4',
    ],
)
def test_executors(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text)["executors"] == ["cpu=processes,workers=4"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 1", "there is no key 'prot'. Did you mean 'port'"),
        ("zzzzzzzz = 1", "there is access-log, app-dir"),
        ('config = "a.toml"', "there is no key 'config'"),
        ("check = {}", "there is no key 'check'"),
        ('port = "9000"', "port: must be a whole number, not '9000'"),
        ("port = true", "port: must be a whole number, not True"),
        ("port = 65536", "port: 65536 is not in the range"),
        ("fd = [1, -1]", "fd: -1 is not in the range"),
        ('reload = "yes"', "reload: must be true or false, not 'yes'"),
        ('drain-timeout = "1"', "drain-timeout: must be a number"),
        ('log-level = "loud"', "log-level: 'loud' is not one of 'debug', 'info'"),
        ("unix-mode = 660", "unix-mode: must be a text in quotation marks"),
        ('unix-mode = "999"', "unix-mode: '999' is not a file mode like 660"),
        ("target = 3", "target: must be a text"),
        ('target = "a b"', "target: 'a b' is not a target"),
        ("limit = 3", "limit: must be a table like"),
        ('limit = { body_byte = "1G" }', "limit: 'body_byte' is not a limit; there is body_bytes"),
        ('limit = { body_bytes = "big" }', "limit: body_bytes is a number like 1000, 64K or 10M"),
        ("limit = { body_bytes = [] }", "limit: [] is neither a text"),
        ('executor = { cpu = "rockets" }', "executor: 'cpu=rockets': jobs run on"),
        ("executor = 1", "executor: must be a table like"),
        ('log-level = "info"\nlog_level = "info"', "'log_level' is there twice"),
        ("port = ", "can't be read"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert str(tmp_path / "eyewall.toml") in caught.value.message
    assert said in caught.value.message


def test_every_option_is_a_key() -> None:
    options = {
        name[2:]
        for each in run.params
        if isinstance(each, click.Option)
        for name in each.opts
        if name.startswith("--")
    }
    assert set(keys(run)) == (options - {"config"}) | {"target"}


def test_every_limit_is_one(tmp_path: Path) -> None:
    values = {"int": "1", "float": "1.5", "bool": "false", "str": '"Name"'}
    lines = [f"{name} = {values[kind]}" for name, kind in Profile.kinds().items()]
    assert len(read(tmp_path, "[limit]\n" + "\n".join(lines))["limits"]) == len(lines)


def test_in_pyproject_it_is_a_section(tmp_path: Path) -> None:
    text = "[project]\nname = 'x'\n[tool.eyewall]\nport = 1\n[tool.eyewall.check]\nselect = ['EW1']\n"
    assert read(tmp_path, text, "pyproject.toml") == {"port": 1}
    with pytest.raises(ConfigError, match="there is no key 'prot'"):
        read(tmp_path, "[tool.eyewall]\nprot = 1\n", "pyproject.toml")
    with pytest.raises(ConfigError, match="must be a table"):
        read(tmp_path, "[tool]\neyewall = 1\n", "pyproject.toml")


def test_the_nearest_is_found(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    # The folders above are not ours.
    above = find(tmp_path)
    (deep / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert find(deep) == above
    (tmp_path / "pyproject.toml").write_text("[tool.eyewall]\n")
    assert find(deep) == tmp_path / "pyproject.toml"
    (tmp_path / "eyewall.toml").touch()
    assert find(deep) == tmp_path / "eyewall.toml"
    (deep / "pyproject.toml").write_text("[tool.eyewall]\n")
    assert find(deep) == deep / "pyproject.toml"
    (deep / "pyproject.toml").write_text("[tool.")
    with pytest.raises(ConfigError, match="can't be read"):
        find(deep)


def test_a_stranger_does_not_configure_from_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "a"
    inner.mkdir()
    above = find(tmp_path.parent)
    (tmp_path / "eyewall.toml").touch()
    (tmp_path / "pyproject.toml").write_text("[tool.eyewall]\n")
    assert find(inner) == tmp_path / "eyewall.toml"
    owner = configfile._owner
    monkeypatch.setattr(configfile, "_owner", lambda file: 12345 if file.parent == tmp_path else owner(file))
    assert find(inner) == above
    # Who works in the folder of another has chosen it.
    assert find(tmp_path) == tmp_path / "eyewall.toml"


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(keys(run))), _values)
def test_whatever_a_value_is_it_is_taken_or_refused(key: str, value: Any) -> None:
    from unittest import mock

    with mock.patch("eyewall.cli.configfile._parsed", return_value={key: value}):
        try:
            found = defaults_from(Path("/x/eyewall.toml"), run, click.Context(run))
        except ConfigError as error:
            assert key in error.message  # noqa: PT017 - either is right
            return
    assert key != "config"
    assert found
