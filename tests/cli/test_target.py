"""From the text of a target to the object, and what is said when there is none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.cli.target import TargetError, load, parse

from .program import write_app

pytestmark = pytest.mark.one_build


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is the current one; what is imported from it is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("text", "module", "path", "attribute"),
    [
        ("a.b:app", "a.b", "", "app"),
        ("a", "a", "", ""),
        ("a:b.c", "a", "", "b.c"),
        ("a.py", "", "a.py", ""),
        ("x/a.py:app", "", "x/a.py", "app"),
        ("C:/x/a.py:app", "", "C:/x/a.py", "app"),
    ],
)
def test_targets(text: str, module: str, path: str, attribute: str) -> None:
    target = parse(text)
    assert (target.module, target.path, target.attribute) == (module, path, attribute)


@pytest.mark.parametrize("text", ["", ":", ":app", "a:", "a:b c", "a-b:app", "a..b", "a:1", "a:b()"])
def test_what_is_no_target(text: str) -> None:
    with pytest.raises(TargetError):
        parse(text)


@given(st.text(max_size=30))
def test_every_text_is_a_target_or_an_error(text: str) -> None:
    try:
        target = parse(text)
    except TargetError:
        return
    assert target.place


def test_modules_and_packages(folder: Path) -> None:
    (folder / "pack").mkdir()
    write_app(folder, "", "pack/__init__.py")
    write_app(folder, "from . import other\napp = other.app\n", "pack/main.py")
    write_app(folder, "app = object()\n", "pack/other.py")
    app = load("pack.main:app", str(folder))
    assert app is load("pack/main.py")
    assert app is load(str(folder / "pack" / "other.py") + ":app")


def test_the_usual_names(folder: Path) -> None:
    write_app(folder, "application = 1\nmake_app = 2\n", "usual_one.py")
    write_app(folder, "class Holder:\n    served = 3\n", "usual_two.py")
    assert load("usual_one") == 1
    assert load("usual_two:Holder.served") == 3
    with pytest.raises(TargetError, match="usual_two:NAME"):
        load("usual_two")


def test_a_file_whose_name_the_standard_library_has(folder: Path) -> None:
    import json

    write_app(folder, "app = 'mine'\n", "json.py")
    assert load("json.py") == "mine"
    assert sys.modules["json"] is json


def test_another_folder(folder: Path) -> None:
    (folder / "src").mkdir()
    write_app(folder / "src", "app = 5\n", "elsewhere.py")
    assert load("elsewhere:app", "src") == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("appp:app", "no module 'appp'.*Did you mean 'app'"),
        ("quite.other:app", "no module 'quite', which 'quite.other' would be in.*--app-dir"),
        ("app.sub:app", "no module 'app.sub'"),
        ("app:ap", "'app' has no attribute 'ap'. Did you mean 'app'"),
        ("app:app.routes", "'App' has no attribute 'routes'"),
        ("missing.py", "no file 'missing.py' in "),
        ("app:_other.x", "no attribute '_other'"),
    ],
)
def test_what_is_missing_is_said(folder: Path, text: str, said: str) -> None:
    write_app(folder, "class App: ...\napp = App()\n_private = 1\n")
    with pytest.raises(TargetError, match=said) as caught:
        load(text)
    assert caught.value.code == 3
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("text", ["bad:app", "bad.py"])
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def f():\n    return {}['key']\nf()\n", "KeyError: 'key'"),
        ("import not_there\n", "ModuleNotFoundError: No module named 'not_there'"),
        ("app = (\n", "SyntaxError"),
        ("import sys\nsys.exit(3)\n", "__main__"),
    ],
)
def test_what_the_application_raises_is_shown_from_its_own_code_on(
    folder: Path, source: str, said: str, text: str
) -> None:
    write_app(folder, source, "bad.py")
    with pytest.raises(TargetError, match=said) as caught:
        load(text)
    cause = caught.value.__cause__
    assert cause is not None
    if not isinstance(cause, SyntaxError):
        assert cause.__traceback__ is not None
        assert cause.__traceback__.tb_frame.f_code.co_filename.endswith("bad.py")
    assert "bad" not in sys.modules
