"""Stacks for people, from what `Stacks.as_json` returns: `eyewall stacks` gets that from another process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Data = Mapping[str, Any]

#: Of more tasks than this that are alike, the first ones are shown.
ALIKE = 5
_SHOWN = 2


def text_of(data: Data, every: bool = True) -> str:
    """Returns every task and thread with its chain, without an end of line at the end. Without `every`, of many tasks
    that are alike (they stand at the same line, and wait for the same) the first ones, and the names of some more."""
    blocks = [_title(data)]
    if every:
        blocks.extend("\n".join(_task(each)) for each in data["tasks"])
    else:
        for kind in _kinds(data["tasks"]):
            shown = kind if len(kind) <= ALIKE else kind[:_SHOWN]
            blocks.extend("\n".join(_task(each)) for each in shown)
            if len(kind) > len(shown):
                names = ", ".join(each["name"] for each in kind[_SHOWN : _SHOWN + ALIKE])
                more = f"{len(kind) - len(shown):,} more tasks ({kind[0]['coroutine']}) stand there: {names}"
                blocks.append(f"{more}, …" if len(kind) > _SHOWN + ALIKE else more)
    blocks.extend("\n".join(_thread(each)) for each in data["threads"] if not _is_doctors(each))
    blocks.extend(_doctors(data))
    return "\n\n".join(blocks)


def tree_of(data: Data) -> str:
    """Returns each task, in a few lines, below the one that waits for it."""
    tasks = {each["name"]: each for each in data["tasks"]}
    awaited = {name for each in data["tasks"] for name in _awaited(each)}
    lines = [_title(data), ""]
    shown: set[str] = set()
    # Tasks in a circle are awaited by each other, and begin anywhere.
    for each in sorted(data["tasks"], key=lambda each: each["name"] in awaited):
        if each["name"] not in shown:
            lines.extend(_branch(each, tasks, shown, ""))
    for each in data["threads"]:
        if _is_doctors(each):
            continue
        lines.append(f"thread {each['name']}")
        if each["place"] is not None:
            lines.append(f"  at {_place(each['place'])}")
    lines.extend(_doctors(data))
    return "\n".join(lines)


def _is_doctors(thread: Data) -> bool:
    """Whether a thread is the doctor's own, which nobody has asked about."""
    return bool(thread.get("doctor"))


def _doctors(data: Data) -> Iterator[str]:
    names = [each["name"] for each in data["threads"] if _is_doctors(each)]
    if names:
        yield f"{_count(len(names), 'thread')} of the doctor: {', '.join(names)}"


def _kinds(tasks: Sequence[Data]) -> list[list[Data]]:
    """Returns the tasks, those that are alike together. One that holds something is like no other."""
    kinds: dict[object, list[Data]] = {}
    for each in tasks:
        waits = each["waits_for"]
        key: object = (
            each["coroutine"],
            each["state"],
            tuple((place["file"], place["line"]) for place in each["chain"]),
            None if waits is None else (waits["kind"], "" if waits["tasks"] else waits["words"]),
        )
        kinds.setdefault(each["name"] if each["holds"] else key, []).append(each)
    return list(kinds.values())


def _title(data: Data) -> str:
    tasks, threads = len(data["tasks"]), len(data["threads"])
    title = f"Process {data['pid']} at {data['time']}: {_count(tasks, 'task')}, {_count(threads, 'thread')}"
    return f"{title}; {_count(data['omitted'], 'more task')} not shown" if data.get("omitted") else title


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _task(task: Data) -> list[str]:
    lines = [_head(task)]
    lines.extend(f"  {line}" for line in _stack(task["chain"]))
    lines.extend(f"  {line}" for line in _end(task))
    return lines


def _head(task: Data) -> str:
    state = task["state"]
    if task["waiting"] is not None and state == "waiting":
        state = f"waiting for {task['waiting']:.1f} s"
    parts = [f"task {task['name']} ({task['coroutine']}): {state}"]
    if task["age"] is not None:
        parts.append(f"{task['age']:.1f} s old" if task.get("begun") else f"seen for {task['age']:.1f} s")
    subject = task["subject"]
    if subject:
        request = f"request {subject.get('method', '')} {subject.get('path', '')}"
        details = ", ".join(
            each for each in (subject.get("handler"), _id(subject.get("id"))) if each is not None
        )
        parts.append(f"{request} ({details})" if details else request)
    return ", ".join(parts)


def _id(value: str | None) -> str | None:
    return None if value is None else f"id {value}"


def _end(task: Data) -> Iterator[str]:
    waits = task["waits_for"]
    if waits is not None and task["state"] == "waiting":
        left = waits["seconds_left"]
        yield f"waits for {waits['words']}" + ("" if left is None else f", {max(left, 0.0):.1f} s left")
        if waits["held_by"] is not None:
            for holder in waits["held_by"]:
                yield f"  held by task {holder['task']}, taken at {_place(holder)}"
            if not waits["held_by"]:
                yield "  it is not known who holds it"
    for each in task["holds"]:
        yield f"holds {each['what']}, taken at {_place(each)}"


def _thread(thread: Data) -> list[str]:
    kind = "daemon thread" if thread["daemon"] else "thread"
    return [f"{kind} {thread['name']}", *(f"  {line}" for line in _stack(thread["stack"]))]


def _stack(places: Sequence[Data]) -> Iterator[str]:
    for place in places:
        yield _place(place)
        if place["source"]:
            yield f"  {place['source']}"


def _place(place: Data) -> str:
    return f"{place['file']}:{place['line']} in {place['function']}"


def _awaited(task: Data) -> list[str]:
    waits = task["waits_for"]
    if waits is None:
        return []
    return [*waits["tasks"], *(each["task"] for each in waits["held_by"] or ())]


def _branch(task: Data, tasks: Mapping[str, Data], shown: set[str], indent: str) -> Iterator[str]:
    shown.add(task["name"])
    yield indent + _head(task)
    if task["place"] is not None:
        yield f"{indent}  at {_place(task['place'])}"
        if task["place"]["source"]:
            yield f"{indent}     {task['place']['source']}"
    for line in _end(task):
        yield f"{indent}  {line}"
    for name in dict.fromkeys(_awaited(task)):
        if name in shown:
            yield f"{indent}    task {name}, see above"
        elif name in tasks:
            yield from _branch(tasks[name], tasks, shown, indent + "    ")
