"""The architecture, enforced: who may import whom, what is compiled, how long a file may be.

Everything is read from the sources as they stand on disk; nothing of Eyewall is imported. Imports within
functions and under `TYPE_CHECKING` count as much as others, `cimport`s of `.pxd` files and
`import_module("eyewall...")` too.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_build

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "eyewall"

#: From the lowest to the highest; see docs/design/contracts.md.
LAYERS = (
    "base",
    "loop",
    "guard",
    "net",
    "http",
    "websocket",
    "client",
    "web",
    "testing",
    "doctor",
    "tornado",
    "cli",
)
LONGEST_FILE = 700
IMPORTERS = {"import_module", "__import__", "import_object"}


@dataclass(frozen=True)
class Import:
    """`importer` needs `imported`, a module; both by full name."""

    importer: str
    imported: str
    line: int

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


def module_name(package: Path, file: Path) -> str:
    parts = (package.name, *file.relative_to(package).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules(package: Path) -> dict[str, Path]:
    return {module_name(package, file): file for file in sorted(package.rglob("*.py"))}


def height(name: str) -> int:
    """How high a module stands: the index of its layer; the version is below all, the package's own face on
    top.
    """
    parts = name.split(".")
    if len(parts) > 1 and parts[1] in LAYERS:
        return LAYERS.index(parts[1])
    return -1 if parts[1:] in (["_version"], ["_face"]) else len(LAYERS)


def _of_statement(
    node: ast.AST, importer: str, is_package: bool, top: str
) -> Iterator[tuple[str, str | None]]:
    """What an import statement or a call that imports names: pairs of a module and a name in it, or None."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name, None
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            steps = node.level - 1 if is_package else node.level
            above = importer.split(".")
            base = ".".join([*above[: len(above) - steps], *([node.module] if node.module else [])])
        for alias in node.names:
            yield base, alias.name
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        function = node.func
        called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if called in IMPORTERS and isinstance(node.args[0].value, str):
            yield node.args[0].value, None


def imports_of(name: str, file: Path, known: dict[str, Path], top: str = "eyewall") -> list[Import]:
    """What module `name` imports of the package, in its source and in its `.pxd`."""
    found = []
    tree = ast.parse(file.read_text("utf-8"), filename=str(file))
    for node in ast.walk(tree):
        for module, attribute in _of_statement(node, name, file.name == "__init__.py", top):
            if module.split(".")[0] != top:
                continue
            target = f"{module}.{attribute}" if attribute and f"{module}.{attribute}" in known else module
            if isinstance(node, ast.Call) and target not in known:
                # The name of an object in a module.
                target = target.rpartition(".")[0]
            found.append(Import(name, target, getattr(node, "lineno", 0)))
    declarations = file.with_suffix(".pxd")
    if declarations.exists():
        for number, line in enumerate(declarations.read_text("utf-8").splitlines(), 1):
            match = re.match(r"\s*(?:from\s+([\w.]+)\s+cimport|cimport\s+([\w.]+))", line)
            if match and (match[1] or match[2]).split(".")[0] == top:
                found.append(Import(name, match[1] or match[2], number))
    return found


def upward(imports: list[Import]) -> list[str]:
    return [str(each) for each in imports if height(each.imported) > height(each.importer)]


def through_own_face(imports: list[Import], known: dict[str, Path]) -> list[str]:
    """Imports that a module makes through the face of a package that it is in."""
    return [
        str(each)
        for each in imports
        if each.imported in known
        and known[each.imported].name == "__init__.py"
        and each.importer.startswith(each.imported + ".")
    ]


def cycles(imports: list[Import]) -> list[str]:
    """The circles of modules that import each other, each as one line."""
    graph: dict[str, set[str]] = {}
    for each in imports:
        if each.imported != each.importer:
            graph.setdefault(each.importer, set()).add(each.imported)
    circles = []
    done: set[str] = set()
    for start in sorted(graph):
        path: list[str] = []
        waiting: list[tuple[str, Iterator[str]]] = []
        if start not in done:
            path.append(start)
            waiting.append((start, iter(sorted(graph[start]))))
        while waiting:
            module, targets = waiting[-1]
            target = next(targets, None)
            if target is None:
                waiting.pop()
                path.pop()
                done.add(module)
            elif target in path:
                circles.append(" -> ".join([*path[path.index(target) :], target]))
            elif target not in done:
                path.append(target)
                waiting.append((target, iter(sorted(graph.get(target, ())))))
    return circles


def too_long(package: Path) -> list[str]:
    return [
        f"{file.relative_to(package.parent)}: {count} lines"
        for pattern in ("*.py", "*.pxd")
        for file in sorted(package.rglob(pattern))
        if (count := len(file.read_text("utf-8").splitlines())) > LONGEST_FILE
    ]


def imports_cython(file: Path) -> bool:
    named = {
        module.split(".")[0]
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        for module, _ in _of_statement(node, "", False, "")
    }
    return bool(named & {"cython", "Cython"})


KNOWN = modules(PACKAGE)
COMPILED: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["eyewall-build"][
    "compiled"
]


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    return [each for name, file in KNOWN.items() for each in imports_of(name, file, KNOWN)]


def test_every_folder_of_the_package_is_a_layer() -> None:
    folders = {each.name for each in PACKAGE.iterdir() if each.is_dir() and any(each.rglob("*.py"))}
    assert folders <= set(LAYERS)


def test_the_order_is_the_one_the_contracts_state() -> None:
    contracts = (ROOT / "docs" / "design" / "contracts.md").read_text("utf-8")
    assert f"`{' < '.join(LAYERS)}`" in contracts


def test_no_layer_imports_a_higher_one(imports: list[Import]) -> None:
    assert upward(imports) == []


def test_no_modules_import_each_other_in_a_circle(imports: list[Import]) -> None:
    assert cycles(imports) == []


def test_no_module_imports_through_the_face_of_its_own_package(imports: list[Import]) -> None:
    assert through_own_face(imports, KNOWN) == []


def test_the_list_of_compiled_modules_is_the_set_of_pxd_files() -> None:
    assert sorted(COMPILED) == sorted(module_name(PACKAGE, file) for file in PACKAGE.rglob("*.pxd"))
    assert len(set(COMPILED)) == len(COMPILED)
    assert [name for name in COMPILED if name not in KNOWN] == []


def test_no_compiled_module_imports_cython() -> None:
    assert [name for name in COMPILED if name in KNOWN and imports_cython(KNOWN[name])] == []


def test_no_file_is_too_long() -> None:
    assert too_long(PACKAGE) == []


def test_no_compiled_file_stands_beside_its_source() -> None:
    assert [str(file) for pattern in ("*.so", "*.pyd") for file in PACKAGE.rglob(pattern)] == []


# -- the rules themselves, on a package made up for it ------------------------------------------------------


def checked(tmp_path: Path, **files: str) -> tuple[list[Import], dict[str, Path]]:
    package = tmp_path / "eyewall"
    for path, text in files.items():
        file = package / (path.replace("__", "/").replace("FACE", "__init__") + ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        face = file.parent / "__init__.py"
        if not face.exists():
            face.write_text("")
    known = modules(package)
    return [each for name, file in known.items() for each in imports_of(name, file, known)], known


@pytest.mark.parametrize(
    "statement",
    [
        "import eyewall.web.handler",
        "from eyewall.web.handler import Handler",
        "from eyewall.web import handler",
        "from eyewall import web",
        "from ..web import handler",
        "from ..web.handler import Handler",
        "def f():\n    from eyewall.web.handler import Handler",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import eyewall.web.handler",
        "import importlib\nimportlib.import_module('eyewall.web.handler')",
        "import eyewall",
    ],
)
def test_an_upward_import_is_found_however_it_is_written(tmp_path: Path, statement: str) -> None:
    imports, _ = checked(tmp_path, base__log=statement, web__handler="class Handler: ...")
    assert len(upward(imports)) == 1


def test_downward_and_foreign_imports_pass(tmp_path: Path) -> None:
    source = "import os, eyewallx\nfrom eyewall.base.log import log\nfrom eyewall._version import VERSION"
    imports, _ = checked(tmp_path, base__log="log = 1", web__handler=source, _version="VERSION = '1'")
    assert {each.imported for each in imports} == {"eyewall.base.log", "eyewall._version"}
    assert upward(imports) == []
    assert cycles(imports) == []


def test_an_upward_cimport_is_found(tmp_path: Path) -> None:
    checked(tmp_path, base__text="", web__page="")
    (tmp_path / "eyewall" / "base" / "text.pxd").write_text(
        "from eyewall.web.page cimport Page\ncimport cython\n"
    )
    known = modules(tmp_path / "eyewall")
    assert upward(imports_of("eyewall.base.text", known["eyewall.base.text"], known)) == [
        "eyewall.base.text:1 imports eyewall.web.page"
    ]


def test_a_circle_within_a_layer_is_found(tmp_path: Path) -> None:
    imports, _ = checked(
        tmp_path,
        base__a="import eyewall.base.b",
        base__b="def f():\n    from eyewall.base import c",
        base__c="from .a import x",
        base__d="import eyewall.base.a",
    )
    assert cycles(imports) == ["eyewall.base.a -> eyewall.base.b -> eyewall.base.c -> eyewall.base.a"]


def test_an_import_through_the_own_face_is_found(tmp_path: Path) -> None:
    imports, known = checked(
        tmp_path,
        base__FACE="from eyewall.base.a import x",
        base__a="x = 1",
        base__b="from eyewall.base import x",
        web__c="from eyewall.base import x",
    )
    assert through_own_face(imports, known) == ["eyewall.base.b:1 imports eyewall.base"]


def test_a_long_file_is_found(tmp_path: Path) -> None:
    checked(tmp_path, base__a="\n" * LONGEST_FILE, base__b="\n" * (LONGEST_FILE + 1))
    assert too_long(tmp_path / "eyewall") == ["eyewall/base/b.py: 701 lines"]


@pytest.mark.parametrize(
    "statement", ["import cython", "from cython import cfunc", "def f():\n    import cython.x"]
)
def test_an_import_of_cython_is_found(tmp_path: Path, statement: str) -> None:
    file = tmp_path / "a.py"
    file.write_text(statement)
    assert imports_cython(file)
    file.write_text("import os")
    assert not imports_cython(file)
