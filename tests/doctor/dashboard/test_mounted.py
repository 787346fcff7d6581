"""A dashboard below a path of an application, which shows its own process."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from eyewall import doctor
from eyewall.base import probe
from eyewall.doctor.dashboard import dashboard_rules
from eyewall.doctor.dashboard.application import TOKEN as VARIABLE
from eyewall.doctor.dashboard.gate import Gate
from eyewall.web import Application, RequestHandler

from ...waiting import until
from ...web.serving import serving
from .test_handlers import TOKEN, Site

pytestmark = pytest.mark.one_build

Run = Callable[[Any], Any]


class Main(RequestHandler):
    def get(self) -> None:
        self.write("mine")


class _Board:
    gate = Gate(TOKEN)


async def read(reader: asyncio.StreamReader, kind: str) -> Any:
    """Returns the data of the next event of this kind."""
    while (await reader.readline()).strip() != f"event: {kind}".encode():
        continue
    return json.loads((await reader.readline()).partition(b": ")[2])


def test_shows_its_own_process_without_a_socket(run: Run) -> None:
    async def main() -> None:
        doctor.disable()
        doctor.enable(socket=False)
        threads = threading.active_count()
        app = Application([*dashboard_rules(token=TOKEN), ("/", Main)])
        async with serving(app) as port:
            site = Site(_Board(), port, "/_eyewall")  # type: ignore[arg-type]
            assert (await Site(_Board(), port, "").fetch("/")).body == b"mine"  # type: ignore[arg-type]
            # Mounting it costs no thread, and nothing in the loop.
            assert threading.active_count() == threads
            async with site.stream("/events") as reader:
                [listed] = await read(reader, "processes")
                assert (listed["pid"], listed["alive"], listed["group"]) == (os.getpid(), True, None)
                said = await read(reader, "state")
                assert said["state"]["process"]["pids"] == [os.getpid()]
                [stream] = said["state"]["open"]["entries"]["event_streams"]
                assert stream["route"] == "/_eyewall/events"
                answer = await site.fetch(f"/api/{os.getpid()}/stacks")
                assert json.loads(answer.body)["pid"] == os.getpid()
            await until(lambda: threading.active_count() == threads)
        doctor.disable()

    run(main())


def test_mounting_it_listens_to_nothing(run: Run) -> None:
    async def main() -> None:
        slots = [each for each in vars(probe).values() if isinstance(each, probe.Slot)]
        before = [each.fire for each in slots]
        assert len(before) > 5
        tasks = asyncio.all_tasks()
        app = Application([*dashboard_rules(token=TOKEN), ("/", Main)])
        async with serving(app) as port:
            assert (await Site(_Board(), port, "").fetch("/")).status == 200  # type: ignore[arg-type]
            assert [each.fire for each in slots] == before
            await until(lambda: asyncio.all_tasks() == tasks)

    run(main())


def test_by_whatever_name_the_application_is_asked_for(run: Run) -> None:
    async def main() -> None:
        for hosts, status in ((None, 200), (["ops.example"], 403)):
            app = Application(dashboard_rules("/ops", token=TOKEN, hosts=hosts))
            async with serving(app) as port:
                site = Site(_Board(), port, "/ops")  # type: ignore[arg-type]
                answer = await site.fetch("/", headers=site.headers(Host="shop.example"))
                assert answer.status == status

    run(main())


def test_not_there_unless_somebody_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert dashboard_rules() == []
    assert dashboard_rules(token="") == []
    monkeypatch.setenv(VARIABLE, TOKEN)
    assert dashboard_rules()
    monkeypatch.setenv(VARIABLE, "short")
    with pytest.raises(ValueError, match="token"):
        dashboard_rules()


@pytest.mark.parametrize("prefix", ["/", "x", "/x/", "//x", "/x y", "/(.*)", "/x?y"])
def test_prefixes_that_are_no_paths(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        dashboard_rules(prefix, token=TOKEN)
