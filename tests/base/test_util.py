from __future__ import annotations

import asyncio
import datetime
import os.path
import re
import sys
import traceback
import unittest
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base import util
from eyewall.base.util import (
    ArgReplacer,
    ObjectDict,
    errno_from_exception,
    exec_in,
    import_object,
    raise_exc_info,
    re_unescape,
    timedelta_to_seconds,
)


def test_object_dict() -> None:
    values = ObjectDict(a=1)
    values.b = 2
    values["c"] = 3
    assert (values.a, values["b"], values.c) == (1, 2, 3)
    with pytest.raises(AttributeError, match="missing"):
        _ = values.missing
    assert not hasattr(values, "missing")


def test_import_object() -> None:
    assert import_object("os") is os
    assert import_object("os.path") is os.path
    assert import_object("os.path.join") is os.path.join
    for name in ("os.nothing", "no_such_module", "no_such_module.name"):
        with pytest.raises(ImportError, match=name.rpartition(".")[2] if "os" in name else "no_such_module"):
            import_object(name)


def test_code_is_executed_by_its_own_future_imports() -> None:
    # This very module has the annotations future.
    names: dict[str, Any] = {}
    exec_in("def f(x: int) -> int: return x", names)
    assert names["f"].__annotations__ == {"x": int, "return": int}


def test_code_is_executed_with_the_names_given() -> None:
    local: dict[str, Any] = {}
    exec_in(compile("b = a + 1", "<test>", "exec"), {"a": 1}, local)
    assert local == {"b": 2}
    with pytest.raises(SyntaxError):
        exec_in("a =", {})


def test_raise_exc_info_raises_the_same_exception_with_its_traceback() -> None:
    class Particular(Exception):
        def __init__(self, a: int, b: int) -> None:
            super().__init__()

    def where_it_began() -> None:
        raise Particular(1, 2)

    try:
        where_it_began()
    except Particular:
        info = sys.exc_info()
    with pytest.raises(Particular) as caught:
        raise_exc_info(info)
    assert caught.value is info[1]
    assert "where_it_began" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]


def test_raise_exc_info_without_an_exception() -> None:
    with pytest.raises(TypeError, match="no exception"):
        raise_exc_info((None, None, None))


def test_errno_from_exception() -> None:
    assert errno_from_exception(OSError(2, "x")) == 2
    assert errno_from_exception(ValueError(7)) == 7
    assert errno_from_exception(ValueError()) is None


@given(st.text(max_size=20))
def test_re_unescape_undoes_escaping(text: str) -> None:
    assert re_unescape(re.escape(text)) == text


@pytest.mark.parametrize("pattern", [r"\d", r"\b", r"\Z", r"a\1"])
def test_re_unescape_refuses_what_is_no_literal(pattern: str) -> None:
    with pytest.raises(ValueError, match="cannot unescape"):
        re_unescape(pattern)


def test_old_names() -> None:
    assert timedelta_to_seconds(datetime.timedelta(hours=1, milliseconds=500)) == 3600.5
    assert util.TimeoutError is TimeoutError is asyncio.TimeoutError
    assert (util.bytes_type, util.unicode_type, util.basestring_type) == (bytes, str, str)
    assert isinstance(util.doctests(), unittest.TestSuite)


class TestArgReplacer:
    def function(x: Any, y: Any, callback: Any = None, *rest: Any, only: Any = 1) -> None: ...

    def test_by_position(self) -> None:
        replacer = ArgReplacer(TestArgReplacer.function, "callback")
        assert (replacer.name, replacer.arg_pos) == ("callback", 2)
        assert replacer.get_old_value((1, 2, "old"), {}) == "old"
        assert replacer.replace("new", (1, 2, "old", 3), {}) == ("old", [1, 2, "new", 3], {})

    def test_by_keyword(self) -> None:
        replacer = ArgReplacer(TestArgReplacer.function, "callback")
        assert replacer.get_old_value((1,), {"callback": "old"}) == "old"
        assert replacer.replace("new", (1,), {"y": 2, "callback": "old"}) == (
            "old",
            (1,),
            {"y": 2, "callback": "new"},
        )

    def test_left_out(self) -> None:
        replacer = ArgReplacer(TestArgReplacer.function, "callback")
        assert replacer.get_old_value((1, 2), {}) is None
        assert replacer.get_old_value((1, 2), {}, "default") == "default"
        assert replacer.replace("new", (1, 2), {}) == (None, (1, 2), {"callback": "new"})

    def test_keyword_only(self) -> None:
        replacer = ArgReplacer(TestArgReplacer.function, "only")
        assert replacer.arg_pos is None
        assert replacer.replace("new", (1, 2, 3, 4), {}) == (None, (1, 2, 3, 4), {"only": "new"})

    def test_any_callable(self) -> None:
        class Callable:
            def __call__(self, a: int, callback: object = None) -> None: ...

        assert ArgReplacer(Callable(), "callback").arg_pos == 1
