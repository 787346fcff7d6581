"""Dask's scheduler, worker and client over TCP, in one process whose `tornado` is Eyewall."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

# Not imported here: it sets up the loggers of the process.
pytestmark = pytest.mark.skipif(find_spec("distributed") is None, reason="Dask is an extra")

PROGRAM = """
import tornado.iostream
from distributed import Client, LocalCluster

print(tornado.iostream.IOStream.__module__)
options = dict(processes=False, protocol="tcp://", host="127.0.0.1", dashboard_address=None)
with LocalCluster(n_workers=1, threads_per_worker=1, **options) as cluster:
    with Client(cluster, timeout=60) as client:
        print(sum(client.gather(client.map(lambda number: number * number, range(10)))))
        print(len(client.submit(lambda size: b"x" * size, 5_000_000).result()))
        print(client.submit(len, client.scatter(b"y" * 5_000_000, hash=False)).result())
"""


def test_what_is_small_and_what_is_large_goes_to_a_worker_and_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "eyewall.tornado", str(file)],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=tmp_path,
    )
    assert done.stdout.split() == ["eyewall.net.iostream", "285", "5000000", "5000000"], done.stderr
