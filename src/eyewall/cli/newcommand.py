"""`eyewall new`: makes a small project, whole or not at all."""

from __future__ import annotations

import keyword
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from string import Template

import click

from eyewall._version import VERSION

_TEMPLATES = Path(__file__).parent / "project"
#: What each template becomes. They end in .txt, so that nothing takes them for code of ours.
_FILES = {
    "package/__init__.py": "{package}/__init__.py",
    "package/app.py": "{package}/app.py",
    "tests/test_app.py": "tests/test_app.py",
    "eyewall.toml": "eyewall.toml",
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "Dockerfile": "Dockerfile",
    "dockerignore": ".dockerignore",
    "gitignore": ".gitignore",
    "deploy/app.service": "deploy/{name}.service",
}
#: What is at once the name of a package, a folder, an image and a unit.
_NAME = re.compile(r"[a-z](?:[a-z0-9]|[-_](?=[a-z0-9]))*", re.ASCII)
_LONGEST = 50
#: Names of users are shorter on Linux (useradd(8)).
_LONGEST_USER = 32
_TAKEN = frozenset({"eyewall", "tornado", "test", "tests", "deploy", "wheels", "build", "dist"})


@click.command()
@click.argument("name")
def new(name: str) -> None:
    """Make a project to begin with: NAME is its folder, made here, and its name.

    It has an application with tests, a configuration, and what a deployment needs: a Dockerfile and a unit for systemd.
    """
    package = check(name)
    folder = Path.cwd() / name
    if os.path.lexists(folder):
        raise click.UsageError(f"{folder} exists already; choose another name, or remove it")
    try:
        make(folder, name, package)
    except OSError as error:
        raise click.ClickException(f"{folder} can't be made: {error.strerror or error}") from None
    click.echo(
        f"Made {name}: an application, its tests, its configuration. What next:\n\n"
        f"  cd {name}\n"
        "  eyewall run            # and look at http://127.0.0.1:8000/\n"
        "  python -m pytest\n"
    )


def check(name: str) -> str:
    """Returns the package's name for a project called `name`. Raises click's BadParameter where there can be none."""
    if _NAME.fullmatch(name) is None:
        near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")
        hint = f"; {near!r} would do" if _NAME.fullmatch(near) else ""
        raise click.BadParameter(
            f"{name!r} is not a name for a project: it begins with a small letter and has small letters, digits, "
            f"and single hyphens or underscores between them{hint}",
            param_hint="NAME",
        )
    if len(name) > _LONGEST:
        raise click.BadParameter(
            f"has {len(name)} characters, {_LONGEST} at most are good", param_hint="NAME"
        )
    package = name.replace("-", "_")
    if package in _TAKEN or package in sys.stdlib_module_names or keyword.iskeyword(package):
        raise click.BadParameter(
            f"{package!r} means something else in Python or here already; {name + '-app'!r} would do",
            param_hint="NAME",
        )
    return package


def make(folder: Path, name: str, package: str) -> None:
    """Makes the project in `folder`, which must not exist. Raises OSError, and then has left nothing behind."""
    title = name.replace("-", " ").replace("_", " ").capitalize()
    values = {
        "name": name,
        "package": package,
        "title": title,
        "user": name[:_LONGEST_USER].rstrip("-_"),
        "version": VERSION,
    }
    # Made beside it under another name, so that there is a project or there is none.
    draft = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
    try:
        for template, place in _FILES.items():
            file = draft / place.format_map(values)
            file.parent.mkdir(parents=True, exist_ok=True)
            text = (_TEMPLATES / f"{template}.txt").read_text("utf-8")
            file.write_text(Template(text).substitute(values), "utf-8")
        # A temporary folder is nobody else's; a project has the rights that the user's folders have.
        draft.chmod(0o777 & ~_umask())
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
