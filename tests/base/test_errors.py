from __future__ import annotations

import pytest

from eyewall.base.errors import EyewallError, LimitExceeded


def test_a_limit_says_which_and_how_much() -> None:
    with pytest.raises(EyewallError, match=r"head_bytes.*65536") as caught:
        raise LimitExceeded("head_bytes", 65536, status=431)
    error = caught.value
    assert isinstance(error, LimitExceeded)
    assert (error.limit, error.allowed, error.status) == ("head_bytes", 65536, 431)


def test_statuses_default_to_whose_fault_it_is() -> None:
    assert EyewallError("broken").status == 500
    assert LimitExceeded("form_fields", 10).status == 400
    assert str(LimitExceeded("form_fields", 10, "too many")) == "too many"
