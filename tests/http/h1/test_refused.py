"""Every form of request that must be refused, with its status, however it is cut, and nothing taken behind it."""

from __future__ import annotations

import pytest

from eyewall.guard.profile import NATIVE, TORNADO, Profile

from .parsing import kinds, read, refusal
from .refused import CASES, Refused

PROFILES = pytest.mark.parametrize("profile", [NATIVE, TORNADO], ids=["native", "tornado"])


def status(case: Refused, profile: Profile) -> int | None:
    return case.native if profile is NATIVE else case.tornado


@PROFILES
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_malformed_request_is_refused(case: Refused, profile: Profile) -> None:
    events = read(case.data, profile)
    wanted = status(case, profile)
    if wanted is None:
        assert refusal(events) is None
        assert kinds(events)[0] == "head"
        return
    refused = refusal(events)
    assert refused is not None, events
    assert refused[0] == wanted
    assert kinds(events)[:-1] in ([["head"], ["head", "data"]] if case.in_body else [[], ["head"]])
    assert "end" not in kinds(events)


@PROFILES
@pytest.mark.parametrize("case", CASES, ids=str)
def test_how_it_is_cut_makes_no_difference(case: Refused, profile: Profile) -> None:
    whole = read(case.data, profile)
    assert read([bytes([octet]) for octet in case.data], profile) == whole
    for cut in range(len(case.data)):
        assert read([case.data[:cut], case.data[cut:]], profile) == whole


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_comes_behind_is_not_looked_at(case: Refused) -> None:
    behind = b"X" if case.data.startswith(b"\x16") else b"GET /second HTTP/1.1\r\nHost: a\r\n\r\n"
    before = read(case.data)
    after = read(case.data + behind)
    assert refusal(after) is not None
    assert refusal(after)[0] == refusal(before)[0]  # type: ignore[index]
    assert kinds(after) == kinds(before)


def test_names_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
