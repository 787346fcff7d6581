"""The modules by Tornado's names re-export, and do nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import eyewall.tornado
from tests.tornado.listing import entries

FOLDER = Path(eyewall.tornado.__file__).parent
#: Those that find, run and hand on have work to do; their names say that they are not Tornado's.
MODULES = sorted(
    path for path in FOLDER.rglob("*.py") if not path.stem.startswith("_") and "inherit" not in path.parts
)
#: More is a sign of something that belongs into a layer below.
LINES = 30


def test_there_is_one_for_each_module_of_tornado() -> None:
    names = {".".join(path.relative_to(FOLDER).with_suffix("").parts) for path in MODULES}
    assert names == {name.removeprefix("tornado.") for name in entries()} - {"tornado", "platform"}


@pytest.mark.parametrize("path", [*MODULES, *FOLDER.rglob("__init__.py")], ids=lambda path: path.stem)
def test_it_is_short(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= LINES


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_it_re_exports_and_nothing_else(path: Path) -> None:
    for at, node in enumerate(ast.parse(path.read_text("utf-8")).body):
        docstring = at == 0 and isinstance(node, ast.Expr)
        # `python -m tornado.autoreload`, and a name that stands for another.
        runs = isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"
        renames = isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Attribute | ast.List)
        # Names whose warning comes with their use.
        lazy = isinstance(node, ast.FunctionDef) and node.name == "__getattr__" and len(node.body) == 1
        imports = isinstance(node, ast.Import | ast.ImportFrom)
        assert docstring or runs or renames or lazy or imports, ast.unparse(node)


def test_a_name_that_programs_take_from_another_module() -> None:
    """Bokeh has its futures from `tornado.gen`, where the documentation does not list it."""
    from eyewall.tornado import concurrent, gen

    assert gen.Future is concurrent.Future
