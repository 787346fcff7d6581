from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SUITE = """
import unittest
from eyewall.testing import main

class Weather(unittest.TestCase):
    def test_sun(self):
        pass

    def test_rain(self):
        print("drops")
        self.fail("wet")

def all():
    return unittest.defaultTestLoader.loadTestsFromTestCase(Weather)

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "weather.py").write_text(SUITE)
    return tmp_path


def run(folder: Path, *args: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, *args], cwd=folder, capture_output=True, text=True, timeout=50, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_all_of_the_program_and_single_ones(suite: Path) -> None:
    code, _, text = run(suite, "weather.py")
    assert code == 1
    assert "Ran 2 tests" in text
    code, _, text = run(suite, "weather.py", "--verbose", "weather.Weather.test_sun")
    assert code == 0
    assert "test_sun (weather.Weather.test_sun) ... ok" in text


def test_options_of_both_kinds(suite: Path) -> None:
    code, _, text = run(
        suite, "weather.py", "--failfast", "--quiet", "--buffer", "--catch", "--logging=error",
        "--exception_on_interrupt=false", "weather",
    )  # fmt: skip
    assert code == 1
    assert "Stdout:\ndrops" in text
    assert "Ran 1 test" in text
    assert ".F" not in text
    assert run(suite, "weather.py", "--bogus")[0] == 1
    assert "--failfast" in run(suite, "weather.py", "--help")[1] + run(suite, "weather.py", "--help")[2]


def test_modules_are_named_on_the_command_line(suite: Path) -> None:
    assert run(suite, "-m", "eyewall.tornado.testing", "weather.Weather.test_sun")[0] == 0
    code, _, text = run(suite, "-m", "eyewall.tornado.testing")
    assert code == 1
    assert "No tests specified" in text
