"""Running test cases within a test."""

from __future__ import annotations

import unittest


def outcome(kind: type[unittest.TestCase], name: str = "test") -> unittest.TestResult:
    """The result of one test method."""
    result = unittest.TestResult()
    kind(name).run(result)
    return result


def passes(kind: type[unittest.TestCase], name: str = "test") -> None:
    result = outcome(kind, name)
    assert result.testsRun == 1
    assert not result.errors, result.errors[0][1]
    assert not result.failures, result.failures[0][1]


def error_of(kind: type[unittest.TestCase], name: str = "test") -> str:
    """The traceback that the test ended with, in an error or a failure."""
    result = outcome(kind, name)
    ((_, text),) = result.errors + result.failures
    return text
