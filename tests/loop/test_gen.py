from __future__ import annotations

from eyewall.loop import gen
from eyewall.loop.concurrent import Future


def test_every_name_is_there():
    assert all(hasattr(gen, name) for name in gen.__all__)
    assert gen.Multi is gen.multi
    assert gen.TimeoutError is TimeoutError


def test_maybe_future(run):
    async def main():
        future = Future()
        assert gen.maybe_future(future) is future
        assert gen.maybe_future(1).result() == 1

    run(main())
