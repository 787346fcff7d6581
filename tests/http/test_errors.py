import pickle

import pytest

from eyewall.base.errors import EyewallError, LimitExceeded
from eyewall.guard.profile import NATIVE
from eyewall.http import errors


def subclasses(cls):
    for sub in cls.__subclasses__():
        yield sub
        yield from subclasses(sub)


LIMITS = list(subclasses(errors.MessageLimitExceeded))


@pytest.mark.parametrize("cls", LIMITS)
def test_a_limit_error_names_a_limit_of_the_profile(cls):
    error = cls(7)
    assert isinstance(error, errors.HTTPInputError)
    assert isinstance(error, LimitExceeded)
    assert hasattr(NATIVE, error.limit)
    assert error.allowed == 7
    assert 400 <= error.status < 600
    assert f"{error.limit}=7" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.status, again.allowed) == (cls, str(error), error.status, 7)


def test_statuses():
    error = errors.RemoteProtocolError(505, "x")
    assert (error.status, error.reason, str(error)) == (505, "x", "x")
    assert errors.MalformedBody("x").status == 400
    assert errors.RequestTimeout("x").status == 408
    assert errors.HeadTooLarge(1).status == 431
    assert errors.TargetTooLong(1).status == 414
    assert errors.BodyTooLarge(1).status == 413
    assert errors.UnsupportedCoding("x").status == 415
    for error in (errors.RemoteProtocolError(505, "x"), errors.RequestTimeout("x")):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), again.status) == (type(error), "x", error.status)


def test_whose_fault():
    assert issubclass(errors.LocalProtocolError, errors.HTTPOutputError)
    assert issubclass(errors.RemoteProtocolError, errors.HTTPInputError)
    assert not issubclass(errors.LocalProtocolError, errors.HTTPInputError)
    assert errors.HTTPInputError.__bases__ == errors.HTTPOutputError.__bases__ == (Exception,)
    assert issubclass(errors.ProtocolError, EyewallError)


def test_quoted_text_cannot_forge_a_log_line():
    assert errors.quoted("a\r\nb\u2028") == r"'a\r\nb\u2028'"
    assert errors.quoted(b"a\n") == r"b'a\n'"
    assert len(errors.quoted("x" * 10_000)) < 100
