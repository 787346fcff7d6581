"""What options may say, and what they may not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.cli.settings import SettingError, Settings, parse_limits
from eyewall.guard.profile import NATIVE, TORNADO, Profile
from eyewall.http.health import is_prefix

pytestmark = pytest.mark.one_build


def settings(**options: Any) -> Settings:
    return Settings(target="app", **options)


def test_limits_of_every_kind() -> None:
    texts = [
        "head_bytes=64K",
        "body-bytes = 2GiB",
        "head_fields=7",
        "head_timeout=0.5",
        "bare_lf=on",
        "server_token=",
    ]
    assert parse_limits(texts) == {
        "head_bytes": 65536,
        "body_bytes": 2 * 1024**3,
        "head_fields": 7,
        "head_timeout": 0.5,
        "bare_lf": True,
        "server_token": "",
    }


def test_every_limit_can_be_set() -> None:
    values = {"int": "1M", "float": "1.5", "bool": "off", "str": "Name"}
    texts = [f"{name}={values[kind]}" for name, kind in Profile.kinds().items()]
    NATIVE.replace(**parse_limits(texts))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("body_byte=1", "there is body_bytes"),
        ("name=x", "not a limit"),
        ("head_bytes", "NAME=VALUE"),
        ("head_bytes=", "64K"),
        ("head_bytes=-1", "64K"),
        ("head_bytes=1.5", "64K"),
        ("head_bytes=+1", "64K"),
        ("head_bytes=1_0", "64K"),
        ("head_bytes=１", "64K"),
        ("head_timeout=1e3", "like 30"),
        ("head_timeout=nan", "like 30"),
        ("head_timeout=-1", "like 30"),
        ("bare_lf=maybe", "on or off"),
        ("server_token=a\r\nb", "printable"),
    ],
)
def test_what_is_no_limit(text: str, said: str) -> None:
    with pytest.raises(SettingError, match=said) as caught:
        parse_limits([text])
    assert caught.value.option == "--limit"


@given(st.text(max_size=40))
def test_nothing_else_comes_of_a_limit(text: str) -> None:
    try:
        limits = parse_limits([text])
    except SettingError:
        return
    NATIVE.replace(**limits)


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"tls_key": "key"}, "--tls-key"),
        ({"tls_ca": "ca"}, "--tls-ca"),
        ({"tls_key_password": "x"}, "--tls-key-password"),
        ({"reload": True, "processes": 2}, "--reload"),
        ({"trusted_proxies": ("10.0.0.1",)}, "--trusted-proxy"),
        ({"trusted_proxies": ("proxy",), "xheaders": True}, "--trusted-proxy"),
        ({"xheaders": True, "forwarded": True}, "--forwarded"),
        ({"drain_timeout": -1.0}, "--drain-timeout"),
        ({"health": "health"}, "--health"),
        ({"health": "/a b"}, "--health"),
        ({"health": "/a?b"}, "--health"),
        ({"health_host": "0.0.0.0"}, "--health-host"),
        ({"health_token": "x"}, "--health-token"),
        ({"health_exclude": True}, "--health-exclude"),
        ({"health": "/", "health_token": ""}, "--health-token"),
        ({"health": "/", "health_token": "a\nb"}, "--health-token"),
        ({"metrics": "/metrics"}, "--metrics"),
        ({"metrics": "/a b", "metrics_token": "x"}, "--metrics"),
        ({"metrics": "/metrics", "metrics_token": "x", "processes": 2}, "--metrics"),
        ({"metrics": "metrics"}, "--metrics"),
        ({"metrics": "127.0.0.1"}, "--metrics"),
        ({"metrics": "127.0.0.1:65536"}, "--metrics"),
        ({"metrics": "::1:9100"}, "--metrics"),
        ({"metrics_token": "x"}, "--metrics-token"),
        ({"metrics": ":9100", "metrics_token": ""}, "--metrics-token"),
        ({"dashboard": "app:app"}, "--dashboard"),
        ({"dashboard": "127.0.0.1:65536"}, "--dashboard"),
        ({"dashboard": ""}, "--dashboard"),
        ({"dashboard": "on", "doctor": False}, "--dashboard"),
        ({"dashboard": "on", "dashboard_token": "short"}, "--dashboard-token"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_combinations_that_make_no_sense(options: dict[str, Any], option: str) -> None:
    with pytest.raises(SettingError) as caught:
        settings(**options)
    assert caught.value.option == option


@pytest.mark.parametrize(
    ("dashboard", "address"),
    [
        (None, None),
        ("off", None),
        ("0", None),
        ("on", ("127.0.0.1", 0)),
        ("TRUE", ("127.0.0.1", 0)),
        ("9000", ("127.0.0.1", 9000)),
        (":9000", ("127.0.0.1", 9000)),
        ("*:9000", ("", 9000)),
        ("board.example:9000", ("board.example", 9000)),
        ("[::1]:9000", ("::1", 9000)),
    ],
)
def test_an_address_for_the_dashboard(dashboard: str | None, address: tuple[str, int] | None) -> None:
    assert settings(dashboard=dashboard).dashboard_address == address


@pytest.mark.parametrize(
    ("metrics", "address"),
    [
        (":9100", ("", 9100)),
        ("*:0", ("*", 0)),
        ("scrape.example:9100", ("scrape.example", 9100)),
        ("[::1]:9100", ("::1", 9100)),
    ],
)
def test_an_address_for_metrics(metrics: str, address: tuple[str, int]) -> None:
    assert settings(metrics=metrics, processes=4).metrics_address == address
    assert settings(metrics="/metrics", metrics_token="x").metrics_address is None
    assert settings().metrics_address is None


def test_whose_limits_count() -> None:
    own = NATIVE.replace(body_bytes=5)
    assert settings().profile_for(None) is NATIVE
    assert settings().profile_for(own) is own
    assert settings(profile="tornado").profile_for(own) is TORNADO
    changed = settings(limits={"head_fields": 3}).profile_for(own)
    assert (changed.body_bytes, changed.head_fields) == (5, 3)


@pytest.mark.parametrize(
    "prefix", ["/", "/health", "/a/b~c", "", "health", "/ä", "/a#", "/a?", "/ ", "/\x7f"]
)
def test_a_prefix_is_one_for_the_endpoints_too(prefix: str) -> None:
    try:
        settings(health=prefix)
    except SettingError:
        assert not is_prefix(prefix)
    else:
        assert is_prefix(prefix)


def test_who_watches() -> None:
    assert not settings().supervised
    assert settings(processes=1).supervised
    assert settings(processes=0).supervised
    assert settings(reload=True).supervised
