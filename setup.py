"""Compiles the modules that `[tool.eyewall-build] compiled` in pyproject.toml lists.

Environment: EYEWALL_PURE=1 installs without compiling; EYEWALL_BOUNDSCHECK=1 compiles with every index
checked; EYEWALL_SANITIZE=1 compiles for AddressSanitizer.
"""

import multiprocessing
import os
import sys
import tomllib
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
COMPILED = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["eyewall-build"]["compiled"]
ADVICE = "Set EYEWALL_PURE=1 to install Eyewall without compiling it (slower, otherwise the same)."


class BuildExt(build_ext):
    """Fails the build when a module does not compile, and says how to do without."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def run(self):
        try:
            super().run()
        except Exception as error:
            raise SystemExit(f"eyewall: compiling failed: {error}\n{ADVICE}") from error


def extensions():
    """The extension modules to build: none for a pure installation."""
    if os.environ.get("EYEWALL_PURE") == "1" or not COMPILED:
        return []
    try:
        from Cython.Build import cythonize
        from Cython.Compiler.Errors import CompileError
    except ImportError as error:
        raise SystemExit(f"eyewall: Cython is missing: {error}\n{ADVICE}") from error
    checked = os.environ.get("EYEWALL_BOUNDSCHECK") == "1"
    # The interpreter's own flags ask for debugging information, which takes longer to write than the code.
    flags = ["-O3", "-g0", "-fno-strict-aliasing", "-Wno-unused-function"]
    if sys.platform == "linux":
        # A request calls hundreds of the interpreter's functions: by way of a table of jumps, each costs a line of the
        # cache more.
        flags.append("-fno-plt")
    links = []
    if os.environ.get("EYEWALL_SANITIZE") == "1":
        flags = ["-O1", "-g", "-fsanitize=address", "-fno-omit-frame-pointer"]
        links = ["-fsanitize=address"]
    modules = [
        Extension(
            name,
            [f"src/{name.replace('.', '/')}.py"],
            extra_compile_args=flags if sys.platform != "win32" else [],
            extra_link_args=links,
        )
        for name in COMPILED
    ]
    try:
        return cythonize(
            modules,
            build_dir="build/cython-checked" if checked else "build/cython",
            include_path=["src"],
            # Other ways to start a process would run this file in each.
            nthreads=(os.cpu_count() or 0) if multiprocessing.get_start_method() == "fork" else 0,
            compiler_directives={
                "language_level": 3,
                "annotation_typing": False,
                "boundscheck": checked,
                "wraparound": True,
                "initializedcheck": checked,
                "cdivision": True,
                "binding": True,
                # What copies and pickles is a seventh of the code; modules whose classes programs copy ask for it.
                "auto_pickle": False,
            },
        )
    except CompileError as error:
        raise SystemExit(f"eyewall: Cython could not translate a module: {error}\n{ADVICE}") from error


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildExt})
