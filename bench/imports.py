"""What an import costs: processor time of the import statement, and the process's memory after it."""

import compileall
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from bench.load import LoadError

TIMEOUT = 60.0

_PROGRAM = """
import time
start = time.process_time_ns()
{statement}
used = time.process_time_ns() - start
import json
with open("/proc/self/status") as status:
    resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
print(json.dumps([used, resident, len(__import__("sys").modules)]))
"""


def cache_bytecode(environment: Mapping[str, str]) -> None:
    """Compiles what stands in the folders of PYTHONPATH, also where the environment keeps Python from doing so."""
    for folder in filter(None, environment.get("PYTHONPATH", "").split(os.pathsep)):
        compileall.compile_dir(folder, quiet=1)


@dataclass(frozen=True)
class ImportCost:
    """Milliseconds of processor time, MiB resident afterwards, and the number of modules loaded."""

    milliseconds: float
    mebibytes: float
    modules: int


def cost(statement: str, environment: Mapping[str, str], core: int) -> ImportCost:
    """Runs an import in a fresh interpreter, pinned to `core`. Raises LoadError when it fails.

    What is imported has its bytecode cached, as an installed package has; see `cache_bytecode`.
    """
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(statement=statement)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=TIMEOUT,
        check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    if done.returncode:
        raise LoadError(f"`{statement}` failed: {done.stderr.strip().splitlines()[-1]}")
    used, resident, modules = json.loads(done.stdout)
    return ImportCost(used / 1e6, resident / 1024, modules)


def typical(statement: str, environment: Mapping[str, str], core: int, times: int) -> ImportCost:
    """Returns the import whose time is in the middle, of so many: one takes a twentieth of a usual measurement."""
    found = [cost(statement, environment, core) for _ in range(times)]
    return sorted(found, key=lambda each: each.milliseconds)[times // 2]
