"""The reference tells everything that is public: names, rules, statuses, keys of log lines."""

from __future__ import annotations

import ast
import importlib
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs.site.publicnames import INNER, PACKAGES, UNTOLD, everything, public_modules
from docs.site.reference import docstring_of

from eyewall.base.formatters import JSONFormatter
from eyewall.cli.exits import ExitCode
from eyewall.doctor.checking.rulebook import BOOK
from eyewall.doctor.examining.examination import RULES as EXAMINED
from eyewall.doctor.report import STATUS

from .pages import ROOT, table_rows

pytestmark = pytest.mark.one_build

REFERENCE = ROOT / "docs" / "reference"
DOCTOR = ROOT / "src" / "eyewall" / "doctor"


def test_every_package_has_a_page() -> None:
    for package in PACKAGES:
        assert f"<!-- reference: {package} -->" in (REFERENCE / f"{package}.md").read_text("utf-8")


def test_every_module_with_public_names_is_told_or_named_as_an_inner_one() -> None:
    told = {module for package in PACKAGES for module in public_modules(package)}
    for source in (ROOT / "src" / "eyewall").rglob("*.py"):
        if re.search("^__all__", source.read_text("utf-8"), re.M):
            name = ".".join(source.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
            if name.split(".")[1:2] not in ([], ["cli"], ["tornado"]):
                assert (name in told) != (name in INNER), name


@pytest.mark.parametrize("name", everything())
def test_a_public_name_says_what_it_is(name: str) -> None:
    about = docstring_of(name)
    first = about.split("\n\n", maxsplit=1)[0].strip()
    assert len(first.split()) > 1, f"{name} has no docstring that says what it is"


def test_what_is_left_out_exists() -> None:
    for name in UNTOLD:
        module, _, own = name.rpartition(".")
        assert hasattr(importlib.import_module(module), own)
    for name in INNER:
        assert importlib.import_module(name).__all__


# -- rules --------------------------------------------------------------------------------------------------


def rules_of_the_page() -> dict[str, tuple[str, str]]:
    """From each rule to its severity and its page; of `eyewall check` by id."""
    found = {}
    for cells in table_rows(REFERENCE / "rules.md"):
        if len(cells) == 4:
            names = re.findall("`([^`]+)`", cells[0])
            assert names[0] not in found, names[0]
            page = re.search(r"\(([^)#]*)", cells[3])
            assert page is not None
            found[names[0]] = cells[1], page[1]
    return found


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node


def rules_of_the_code() -> dict[str, str | None]:
    """From each rule that the doctor reports to its severity, None where that stands elsewhere than the rule.

    A rule is a string with a hyphen that is handed to something which makes findings, assigned to `rule`, or a value of
    an enumeration of kinds.
    """
    found: dict[str, str | None] = {}
    for source in DOCTOR.rglob("*.py"):
        if "checking" in source.parts:
            continue
        tree = ast.parse(source.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                maker = node.func.id if isinstance(node.func, ast.Name) else ""
                if maker in ("Finding", "Ending", "_of_guard", "_told"):
                    for rule in filter(_is_rule, node.args[:2]):
                        found.setdefault(_text(rule), _severity(node))
            elif isinstance(node, ast.Assign):
                self_named = any(isinstance(each, ast.Name) and each.id == "rule" for each in node.targets)
                values = node.value.elts[:1] if isinstance(node.value, ast.Tuple) else [node.value]
                names = node.targets[0].elts if isinstance(node.targets[0], ast.Tuple) else []
                if self_named or any(isinstance(each, ast.Name) and each.id == "rule" for each in names):
                    found.update({_text(each): None for each in values if _is_rule(each)})
            elif isinstance(node, ast.ClassDef) and node.name == "Kind":
                for each in node.body:
                    if isinstance(each, ast.Assign) and _is_rule(each.value):
                        found[_text(each.value)] = None
    # Constants that a finding is made with by their names.
    found["findings-dropped"] = None
    return found


def _is_rule(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and bool(re.fullmatch("[a-z]+(-[a-z]+)+", str(node.value)))


def _text(node: ast.expr) -> str:
    assert isinstance(node, ast.Constant)
    return str(node.value)


def _severity(call: ast.Call) -> str | None:
    for node in ast.walk(call):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "Severity"
        ):
            return node.attr.lower()
    return None


def test_the_rules_of_the_code_are_found() -> None:
    found = rules_of_the_code()
    assert found["coroutine-never-awaited"] == "error"
    assert {"loop-blocked-io", "lock-deadlock", "websocket-kept", "executor-full", "task-leaked"} <= set(
        found
    )


def test_the_table_of_rules_is_complete() -> None:
    told = rules_of_the_page()
    code = rules_of_the_code()
    assert {rule for rule in told if not rule.startswith("EW")} == {*code, *EXAMINED}
    for rule, severity in code.items():
        assert severity in (None, told[rule][0]), rule


def test_the_table_of_rules_has_those_of_check() -> None:
    told = {rule: severity for rule, (severity, _) in rules_of_the_page().items() if rule.startswith("EW")}
    assert told == {rule.id: rule.severity.name.lower() for rule in BOOK}


def test_the_page_of_a_rule_tells_of_it() -> None:
    for rule, (_, page) in rules_of_the_page().items():
        assert f"`{rule}`" in (REFERENCE / page).resolve().read_text("utf-8"), rule


# -- statuses, logs -----------------------------------------------------------------------------------------


def _table(page: Path, heading: str) -> list[list[str]]:
    section = page.read_text("utf-8").split(f"## {heading}\n", maxsplit=1)[1].split("\n## ", maxsplit=1)[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return [row for row in rows if not set("".join(row)) <= set("-| ")][1:]


def test_the_statuses_are_those_of_the_code() -> None:
    page = REFERENCE / "statuses.md"
    run = [row[0] for row in _table(page, "`eyewall run`") if row[0].isdigit()]
    assert run == [str(int(code)) for code in ExitCode]
    doctor = {row[0] for row in _table(page, "`eyewall doctor`")}
    assert doctor == {str(status) for status in STATUS.values()} | {"2", "3"}


def test_the_keys_of_a_line_of_json_are_told() -> None:
    told = {
        name for row in _table(REFERENCE / "logs.md", "JSON") for name in re.findall("`([a-z_]+)`", row[0])
    }
    record = logging.makeLogRecord(
        {"msg": "x", "pid": 1, "request_id": "r", "exc_text": "e", "stack_info": "s"}
    )
    assert told == set(json.loads(JSONFormatter().format(record)))
