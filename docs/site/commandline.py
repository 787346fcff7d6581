"""The reference of the command line, made of the commands themselves."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click


def reference(main: click.Command) -> str:
    """Returns Markdown with a section for each command of `main` and of the groups in it."""
    context = click.Context(main, info_name="eyewall")
    return "\n".join(_sections(main, context))


def commands(main: click.Command) -> list[str]:
    """Returns what has a section: `eyewall run`, `eyewall doctor run`, …"""
    return re.findall("^##+ `(.+)`$", reference(main), re.M)


def _sections(command: click.Command, context: click.Context) -> Iterator[str]:
    if context.parent is not None:
        yield f"{'###' if context.parent.parent is not None else '##'} `{context.command_path}`\n"
        yield _prose(command.help or "")
        usage = " ".join(command.collect_usage_pieces(context))
        yield f"```text\n{context.command_path} {usage}\n```\n"
        yield from _options(command, context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from _sections(inner, click.Context(inner, info_name=name, parent=context))


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    rows = [
        _row(each, context) for each in command.params if isinstance(each, click.Option) and not each.hidden
    ]
    if rows:
        yield "| Option | Default | In the environment | Meaning |\n| --- | --- | --- | --- |"
        yield "\n".join(rows) + "\n"


def _row(option: click.Option, context: click.Context) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    if not option.is_flag and not option.count:
        names += f" {_cell(option.make_metavar(context))}"
    default = option.default
    if option.is_flag:
        shown = "yes" if default is True else "no" if default is False else ""
    elif default in (None, ()) or callable(default) or "Sentinel" in type(default).__name__:
        shown = ""
    else:
        shown = f"`{default}`"
    variable = option.envvar
    if isinstance(variable, (list, tuple)):
        variable = ", ".join(variable)
    about = _cell(" ".join(inspect.cleandoc(option.help or "").split()))
    if option.multiple:
        about += " Several times."
    if option.required:
        about += " Required."
    return f"| {names} | {shown} | {f'`{variable}`' if variable else ''} | {about} |"


def _cell(text: str) -> str:
    return re.sub(r"([|\[\]<>*_])", r"\\\1", text)


def _prose(text: str) -> str:
    """The help of a command as Markdown: its paragraphs that are laid out by hand (`\\b`) stay so."""
    parts = []
    for part in re.split(r"\n{2,}", inspect.cleandoc(text).partition("\f")[0]):
        if part.startswith("\b"):
            parts.append("```text\n" + part.removeprefix("\b").strip("\n") + "\n```")
        else:
            parts.append(_outside_code(part))
    return "\n\n".join(parts) + "\n"


def _outside_code(text: str) -> str:
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(piece if piece.startswith("`") else _cell(piece) for piece in pieces)
