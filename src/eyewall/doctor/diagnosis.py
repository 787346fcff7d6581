"""A written diagnosis: the report of a process for people, as text, Markdown or HTML.

It is made of the document, not of findings: the process that writes it is another one than the process it is about, and
perhaps on another machine.
"""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import Any

from eyewall.doctor.finding import Severity

Document = Mapping[str, Any]

_WELL = "Nothing was found."


def worst(document: Document) -> list[Severity]:
    """Returns the severity of each finding."""
    return [Severity[each["severity"].upper()] for each in document["findings"]]


def as_text(document: Document) -> str:
    """Returns it for a terminal, with an end of line at the end."""
    blocks = [heading(document), summary(document)]
    blocks.extend(finding_text(each) for each in document["findings"])
    return "\n\n".join(blocks) + "\n"


def as_json(document: Document) -> str:
    """Returns the document itself."""
    return json.dumps(document, indent=2) + "\n"


def as_markdown(document: Document) -> str:
    """Returns it as Markdown, for an issue or a chat."""
    blocks = [f"# {_md(heading(document))}", summary(document)]
    for each in document["findings"]:
        lines = [f"- {_code(line)}" if kind == "place" else f"- {_md(line)}" for kind, line in _facts(each)]
        blocks.append(f"## {_md(_title(each))}\n\n" + "\n".join(lines))
        for name, stack in each["evidence"]["stacks"].items():
            fence = "```"
            blocks.append(f"{_md(name)}:\n\n{fence}\n" + "\n".join(map(_place, stack)) + f"\n{fence}")
        blocks.append(f"**What to do:** {_md(each['advice'])}")
    return "\n\n".join(blocks) + "\n"


def as_html(document: Document) -> str:
    """Returns it as a page that needs nothing else."""
    blocks = [f"<h1>{escape(heading(document))}</h1>", f"<p>{escape(summary(document))}</p>"]
    for each in document["findings"]:
        facts = "".join(
            f"<li><code>{escape(line)}</code></li>" if kind == "place" else f"<li>{escape(line)}</li>"
            for kind, line in _facts(each)
        )
        stacks = "".join(
            f"<details><summary>{escape(name)}</summary><pre>{escape(chr(10).join(map(_place, stack)))}</pre></details>"
            for name, stack in each["evidence"]["stacks"].items()
        )
        blocks.append(
            f'<section class="{escape(each["severity"])}"><h2>{escape(_title(each))}</h2><ul>{facts}</ul>{stacks}'
            f"<p><b>What to do:</b> {escape(each['advice'])}</p></section>"
        )
    return _PAGE.format(title=escape(heading(document)), body="\n".join(blocks))


#: By name, how a diagnosis can be written.
FORMATS: dict[str, Callable[[Document], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "json": as_json,
    "html": as_html,
}


def heading(document: Document) -> str:
    """Returns which process it is about."""
    program = shlex.join(document["program"])
    return f"Process {document['pid']}: {program} (Python {document['python']})"


def summary(document: Document) -> str:
    """Returns how much was found."""
    count = Counter(worst(document))
    if not count:
        return _WELL
    return (
        ", ".join(
            f"{count[each]} {each.name.lower()}{'s' if count[each] > 1 else ''}"
            for each in sorted(count, reverse=True)
        )
        + "."
    )


def finding_text(finding: Mapping[str, Any]) -> str:
    """Returns one finding for a terminal, without an end of line at the end."""
    lines = [_title(finding)]
    lines.extend(f"  {line}" for _, line in _facts(finding))
    for name, stack in finding["evidence"]["stacks"].items():
        lines.append(f"  {name}:")
        lines.extend(f"    {_place(place)}" for place in stack)
    lines.append(f"  what to do: {finding['advice']}")
    return "\n".join(lines)


def _title(finding: Mapping[str, Any]) -> str:
    return f"{finding['severity'].upper()}: {finding['summary']} [{finding['rule']}]"


def _facts(finding: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Returns what is known besides the summary, each with what kind of fact it is."""
    evidence = finding["evidence"]
    place = finding["place"]
    if place is not None:
        yield "place", f"at {_place(place)}"
        if place["source"]:
            yield "place", f"   {place['source']}"
    subject = _subject(finding["subject"] or {})
    if subject:
        yield "subject", f"in {subject}"
    if evidence["error"] is not None:
        yield "error", evidence["error"]
    if finding["count"] > 1:
        yield "count", f"{finding['count']} times, from {finding['first_seen']} to {finding['last_seen']}"
    else:
        yield "count", f"at {finding['last_seen']}"
    if evidence["wall"] is not None:
        cpu = "" if evidence["cpu"] is None else f", {evidence['cpu']:.3f} s of it on the CPU"
        yield "time", f"took {evidence['wall']:.3f} s{cpu}"
    for name, count in evidence["counts"].items():
        yield "count", f"{name}: {count}"


def _subject(subject: Mapping[str, str]) -> str:
    if "method" in subject:
        details = ", ".join(
            text for text in (subject.get("handler"), "id" in subject and f"id {subject['id']}") if text
        )
        text = f"request {subject['method']} {subject.get('path', '')}"
        return f"{text} ({details})" if details else text
    return f"task {subject['task']}" if "task" in subject else ""


def _place(place: Mapping[str, Any]) -> str:
    function = f" in {place['function']}" if place["function"] else ""
    return f"{place['file']}:{place['line']}{function}"


def _md(text: str) -> str:
    return "".join(f"\\{each}" if each in "\\`*_[]<>#|" else each for each in text)


def _code(text: str) -> str:
    # As long as no fence of backticks in the text is.
    return f"`` {text.strip()} ``" if "``" not in text else _md(text)


_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.4rem; }} h2 {{ font-size: 1.1rem; margin: 0; }}
section {{ border-left: 4px solid gray; margin: 1.5rem 0; padding: 0 1rem; }}
section.error {{ border-color: #c62828; }} section.warning {{ border-color: #ef6c00; }}
pre {{ overflow-x: auto; font-size: 0.85rem; }}
</style>
<body>
{body}
</body>
</html>
"""
