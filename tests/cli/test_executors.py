"""Executors on the command line."""

from __future__ import annotations

import pytest

from eyewall.cli.executors import parse_executors
from eyewall.cli.settings import SettingError


def test_settings_of_every_kind() -> None:
    assert parse_executors(
        [
            "cpu=processes,workers=4,queue=0,full=reject",
            "database=wait=2.5,waiting=7",
            "far=dask,cluster=tcp://10.0.0.1:8786",
        ]
    ) == {
        "cpu": {"medium": "processes", "workers": 4, "queue": 0, "full": "reject"},
        "database": {"wait": 2.5, "waiting": 7},
        "far": {"medium": "dask", "cluster": "tcp://10.0.0.1:8786"},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cpu", "is not of the form NAME="),
        ("=threads", "is not of the form NAME="),
        ("a b=threads", "is not of the form NAME="),
        ("cpu=fibres", "threads, processes, dask, not on 'fibres'"),
        ("cpu=", "not on ''"),
        ("cpu=threads,speed=9", "no setting 'speed', only workers, queue"),
        ("cpu=threads,processes", "no setting 'processes'"),
        ("cpu=workers=0", "workers cannot be '0'"),
        ("cpu=workers=many", "workers cannot be 'many'"),
        ("cpu=wait=-1", "wait cannot be '-1'"),
        ("cpu=wait=nan", "wait cannot be 'nan'"),
        ("cpu=full=perhaps", "full cannot be 'perhaps'"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(SettingError, match=message) as told:
        parse_executors([text])
    assert told.value.option == "--executor"
