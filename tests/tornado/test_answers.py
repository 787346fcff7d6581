"""An application answers the same under the alias as under Tornado itself, to the octet, but for what is listed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import LOOP_KINDS, ROOT
from tests.tornado.programs import ALIAS, python

PROGRAM = ROOT / "tests" / "tornado" / "answers.py"

#: What stands in an answer of ours, what stands in Tornado's in its place, and why.
BETTER = {
    'Etag: W/"': (
        'Etag: "',
        "compressed content is not the content that the tag was made of (RFC 9110 section 8.8.1)",
    ),
}


def answers(folder: Path, *options: str, **environment: str) -> dict[str, Any]:
    lines = python(*options, PROGRAM, folder, env=environment).stdout.splitlines()
    return {each["request"]: each["answer"] for each in map(json.loads, lines)}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return answers(tmp_path_factory.mktemp("real") / "files")


@pytest.mark.parametrize("loop", LOOP_KINDS)
def test_answers_are_those_of_tornado(tmp_path: Path, loop: str, real: dict[str, Any]) -> None:
    ours = answers(tmp_path / "files", *ALIAS, EYEWALL_LOOP=loop)
    assert len(real) > 90
    assert ours.keys() == real.keys()
    different = {name: (real[name], ours[name]) for name in real if real[name] != ours[name]}
    for name, (answer, our_answer) in list(different.items()):
        fields = [as_tornado(field) for field in our_answer["fields"]]
        if {**our_answer, "fields": fields} == answer:
            del different[name]
    assert different == {}


def as_tornado(field: str) -> str:
    for ours, (theirs, _) in BETTER.items():
        field = field.replace(ours, theirs)
    return field
