"""Tornado's own tests pass on Eyewall, module by module, on both kinds of event loop."""

from __future__ import annotations

import faulthandler
import os
import re
import sys

import pytest

from tests.conftest import LOOP_KINDS, ROOT
from tests.tornado.exclusions import MOST, excluded
from tests.tornado.listing import folder
from tests.tornado.programs import ALIAS, python

#: As `tornado.test.runtests` lists them.
MODULES = re.findall(r'^ +"(tornado\.[\w.]+)",$', (folder() / "runtests.py").read_text("utf-8"), re.MULTILINE)


def test_the_suite_is_the_one_that_is_known() -> None:
    assert len(MODULES) == 39
    assert [name for name in excluded() if not name.startswith("tornado.test.")] == []


#: Both with the build that is compiled; whether the other makes a difference is seen on one.
LOOPS = LOOP_KINDS[-1:] if os.environ.get("EYEWALL_EXPECT_BUILD") == "pure" else LOOP_KINDS


@pytest.mark.timeout(400)
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("module", MODULES)
def test_a_module_passes(module: str, loop: str) -> None:
    environment = {
        "EYEWALL_LOOP": loop,
        # What needs the internet is not for every run.
        "NO_NETWORK": "1",
        # Five seconds, the default, are not enough on a machine that stands still for some of them.
        "ASYNC_TEST_TIMEOUT": "60",
        "HYPOTHESIS_PROFILE": "tornado-quick",
    }
    # pytest's own limit is for tests that do something themselves; this one waits, and has a limit for that.
    faulthandler.cancel_dump_traceback_later()
    done = python(
        *ALIAS, "-m", "tests.tornado.suite", module, cwd=ROOT, env=environment, check=False, timeout=380
    )
    if (
        sys.version_info >= (3, 12)
        and module.endswith(".doctests")
        and done.stderr.endswith("\nNO TESTS RAN\n")
    ):
        # Not all of our docstrings have examples where Tornado's have some, and the interpreter minds since 3.12.
        assert done.returncode == 5
        return
    assert done.returncode == 0, done.stdout + done.stderr
    ran = re.search(r"^Ran (\d+) tests? in .*\n\nOK", done.stderr, re.MULTILINE)
    assert ran is not None, done.stdout + done.stderr
    assert int(ran[1]) > 0 or module.endswith(".doctests")


def test_few_are_excluded_and_each_of_them_exists() -> None:
    names = excluded()
    assert len(names) <= MOST
    assert all(len(reason) > 20 for reason in names.values())
    program = "import sys; from tests.tornado.suite import skip\nfor name in sys.argv[1:]: skip(name, '')"
    python(*ALIAS, "-c", program, *names, cwd=ROOT)
