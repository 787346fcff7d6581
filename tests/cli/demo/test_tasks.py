from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from eyewall.cli.demo import tasks
from eyewall.cli.demo.database import Database, DatabaseBusy
from eyewall.cli.demo.limits import DATABASE_QUEUE
from eyewall.cli.demo.tasks import Tasks

from .site import Site, Visitor

pytestmark = pytest.mark.one_build


def test_a_task_from_its_beginning_to_its_end(visitor: Visitor) -> None:
    made = visitor.ask("POST", "/api/tasks", {"title": "  Buy   milk "})
    assert made.status == 201
    task = made.json
    where = made.headers["Location"]
    assert where == f"/api/tasks/{task['id']}"
    assert (task["title"], task["done"]) == ("Buy milk", False)
    assert visitor.ask("GET", where).json == task
    changed = visitor.ask("PATCH", where, {"done": True})
    assert (changed.status, changed.json) == (200, {**task, "done": True})
    renamed = visitor.ask("PATCH", where, {"title": "Buy bread"})
    assert renamed.json == {**task, "done": True, "title": "Buy bread"}
    removed = visitor.ask("DELETE", where)
    assert (removed.status, removed.body) == (204, b"")
    for method, body in (("GET", None), ("PATCH", {"done": True}), ("DELETE", None)):
        gone = visitor.ask(method, where, body)
        assert gone.status == 404
        assert gone.json == {"error": {"status": 404, "message": "There is no such task."}}


def test_pages_and_the_choice_of_some(visitor: Visitor) -> None:
    for number in range(5):
        visitor.ask("POST", "/api/tasks", {"title": f"task {number}"})
    everything = visitor.ask("GET", "/api/tasks?per_page=100").json
    assert (everything["total"], everything["page"], everything["pages"]) == (9, 1, 1)
    parts = [visitor.ask("GET", f"/api/tasks?page={page}&per_page=4").json for page in (1, 2, 3, 4)]
    assert [part["pages"] for part in parts] == [3, 3, 3, 3]
    assert [task for part in parts for task in part["tasks"]] == everything["tasks"]
    assert everything["tasks"][0]["title"] == "task 4"
    done = visitor.ask("GET", "/api/tasks?done=true").json
    assert [task["title"] for task in done["tasks"]] == ["Start the demo"]
    assert visitor.ask("GET", "/api/tasks?done=false").json["total"] == 8


@pytest.mark.parametrize(
    "query",
    ["page=0", "page=x", "page=99999999999", "per_page=101", "per_page=-1", "done=maybe"],
)
def test_a_query_that_makes_no_sense_is_refused_as_json(visitor: Visitor, query: str) -> None:
    answer = visitor.ask("GET", f"/api/tasks?{query}")
    assert answer.status == 400
    assert answer.json["error"]["status"] == 400
    assert answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"title"}),
        ({"title": ""}, {"title"}),
        ({"title": " \n "}, {"title"}),
        ({"title": 7}, {"title"}),
        ({"title": None}, {"title"}),
        ({"title": "x" * 201}, {"title"}),
        ({"title": "x", "done": 1}, {"done"}),
        ({"title": "", "done": "yes", "id": 5}, {"title", "done", "id"}),
    ],
)
def test_every_field_that_is_wrong_is_named(visitor: Visitor, body: Any, fields: set[str]) -> None:
    answer = visitor.ask("POST", "/api/tasks", body)
    assert answer.status == 400
    assert set(answer.json["error"]["fields"]) == fields
    assert visitor.ask("GET", "/api/tasks").json["total"] == 4


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b"[" * 60_000, b'{"title": "\\ud800"', b"NaN", b"1" * 60_000],
    ids=["empty", "cut", "list", "string", "bytes", "deep", "surrogate", "nan", "digits"],
)
def test_what_is_no_json_object_is_refused(visitor: Visitor, body: bytes) -> None:
    answer = visitor.ask("POST", "/api/tasks", body, {"Content-Type": "application/json"})
    assert answer.status == 400
    assert "JSON" in answer.json["error"]["message"]


def test_a_lone_surrogate_is_refused(visitor: Visitor) -> None:
    body = b'{"title": "\\ud800"}'
    answer = visitor.ask("POST", "/api/tasks", body, {"Content-Type": "application/json"})
    assert answer.status == 400
    assert set(answer.json["error"]["fields"]) == {"title"}


def test_other_media_types_and_too_much_are_refused(visitor: Visitor) -> None:
    assert visitor.ask("POST", "/api/tasks", b"title=x", {"Content-Type": "text/plain"}).status == 415
    assert visitor.ask("POST", "/api/tasks", {"title": "x" * 70_000}).status == 413


def test_a_title_is_a_value_and_never_sql(visitor: Visitor) -> None:
    title = "'); DROP TABLE tasks; -- \" % <script>"
    assert visitor.ask("POST", "/api/tasks", {"title": title}).json["title"] == title
    assert visitor.ask("GET", "/api/tasks").json["tasks"][0]["title"] == title


def test_a_full_list_takes_no_more(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "TASKS", 5)
    assert visitor.ask("POST", "/api/tasks", {"title": "x"}).status == 201
    answer = visitor.ask("POST", "/api/tasks", {"title": "y"})
    assert answer.status == 409
    assert "message" in answer.json["error"]


# -- the thread ---------------------------------------------------------------------------------------------


def test_the_loop_goes_on_while_the_database_works(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slow(connection: Any, number: int) -> None:
        inside.set()
        assert go_on.wait(20)

    monkeypatch.setattr(tasks, "_find", slow)
    answers: list[int] = []
    waiting = threading.Thread(target=lambda: answers.append(visitor.ask("GET", "/api/tasks/1").status))
    waiting.start()
    try:
        assert inside.wait(20)
        assert Visitor(visitor.site).ask("GET", "/ping").body == b"pong"
        assert answers == []
    finally:
        go_on.set()
        waiting.join(20)
    assert answers == [404]


def test_more_than_may_wait_is_refused(
    run: Callable[[Coroutine[Any, Any, Any]], Any], tmp_path: Path
) -> None:
    async def main() -> None:
        database = Database(tmp_path / "x.db")
        go_on = threading.Event()
        jobs = [asyncio.ensure_future(database.run(lambda _: go_on.wait(20))) for _ in range(DATABASE_QUEUE)]
        await asyncio.sleep(0)
        with pytest.raises(DatabaseBusy):
            await database.run(lambda _: None)
        # Who leaves makes room; so does who is done.
        jobs[-1].cancel()
        with pytest.raises(asyncio.CancelledError):
            await jobs[-1]
        last = asyncio.ensure_future(database.run(lambda _: "last"))
        await asyncio.sleep(0)
        go_on.set()
        assert await last == "last"
        assert all(await asyncio.gather(*jobs[:-1]))
        await database.close()

    run(main())


def test_a_busy_database_is_an_answer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(self: Tasks, *args: Any) -> None:
        raise DatabaseBusy

    monkeypatch.setattr(Tasks, "page", busy)
    answer = Visitor(site).ask("GET", "/api/tasks")
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "1"
    assert answer.json["error"]["status"] == 503


def test_work_that_fails_is_undone(run: Callable[[Coroutine[Any, Any, Any]], Any], tmp_path: Path) -> None:
    def fail(connection: Any) -> None:
        connection.execute("INSERT INTO tasks (title, created) VALUES ('half', 0)")
        raise KeyError("half-way")

    async def main() -> None:
        database = Database(tmp_path / "x.db")
        with pytest.raises(KeyError, match="half-way"):
            await database.run(fail)
        assert (await Tasks(database).page(1, 10, None))[1] == 0
        await database.close()

    run(main())
