"""The to-do list: a JSON interface over SQLite, and a page that uses it."""

from __future__ import annotations

from typing import Any

from eyewall.cli.demo.handlers.base import JSONHandler, Page, Problem, pages
from eyewall.cli.demo.limits import MOST_PER_PAGE, PAGE_SIZE, TASK_CHARS, TASKS
from eyewall.cli.demo.tasks import ListFull
from eyewall.cli.demo.visitors import tidy

_SWITCHES = {"": None, "true": True, "false": False}


class TaskPage(Page):
    """The page. What is on it comes from the interface."""

    def get(self) -> None:
        self.render("tasks.html", longest=TASK_CHARS)


class TaskList(JSONHandler):
    """All tasks."""

    async def get(self) -> None:
        number = self.number_argument("page", 1, TASKS)
        size = self.number_argument("per_page", PAGE_SIZE, MOST_PER_PAGE)
        done = self.get_query_argument("done", "")
        if done not in _SWITCHES:
            raise Problem(400, "done must be true or false.", done="Must be true or false.")
        tasks, total = await self.demo.tasks.page(number, size, _SWITCHES[done])
        self.write({"tasks": tasks, "page": number, "pages": pages(total, size), "total": total})

    async def post(self) -> None:
        fields = _checked(self.body())
        if "title" not in fields:
            raise Problem(400, "A task needs a title.", title="A task needs a title.")
        try:
            task = await self.demo.tasks.add(fields["title"])
        except ListFull:
            raise Problem(409, f"There are {TASKS} tasks. Do some of them first.") from None
        self.set_status(201)
        self.set_header("Location", f"/api/tasks/{task['id']}")
        self.write(task)


class TaskItem(JSONHandler):
    """One task."""

    async def get(self, number: str) -> None:
        self.write(_found(await self.demo.tasks.find(int(number))))

    async def patch(self, number: str) -> None:
        fields = _checked(self.body())
        self.write(_found(await self.demo.tasks.change(int(number), fields.get("title"), fields.get("done"))))

    async def delete(self, number: str) -> None:
        if not await self.demo.tasks.remove(int(number)):
            raise Problem(404, "There is no such task.")
        self.set_status(204)


def _found(task: dict[str, Any] | None) -> dict[str, Any]:
    if task is None:
        raise Problem(404, "There is no such task.")
    return task


def _checked(body: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields of a task that a client has sent. Raises Problem, with everything that is wrong."""
    wrong: dict[str, str] = {}
    fields: dict[str, Any] = {}
    for name, value in body.items():
        if name == "title":
            fields["title"] = tidy(value) if isinstance(value, str) else ""
            if not fields["title"]:
                wrong["title"] = "A task needs a title."
            elif len(fields["title"]) > TASK_CHARS:
                wrong["title"] = f"A title may have {TASK_CHARS} characters."
        elif name == "done":
            fields["done"] = value
            if not isinstance(value, bool):
                wrong["done"] = "Must be true or false."
        else:
            wrong[name[:20]] = "There is no such field."
    if wrong:
        raise Problem(400, next(iter(wrong.values())), **wrong)
    return fields
