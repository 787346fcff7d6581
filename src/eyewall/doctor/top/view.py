"""The terminal: tables in tabs, which are asked for anew each second. Needs textual.

Asking is done in threads, so that a process that does not answer freezes nothing here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Footer, Input, Static, TabbedContent, TabPane

from eyewall.doctor.control.client import NoDoctor
from eyewall.doctor.control.protocol import ControlError
from eyewall.doctor.diagnosis import finding_text
from eyewall.doctor.top.cells import Row, Table, arranged
from eyewall.doctor.top.model import Answers, heading, tables, tasks_at, tasks_for
from eyewall.doctor.top.screens import Confirm, Reading, Tasks, columns, fill
from eyewall.doctor.top.source import Source
from eyewall.doctor.waits.stackstext import text_of

T = TypeVar("T")

#: Seconds between two questions.
INTERVAL = 1.0

#: Tables of what can be ended, and titles of tabs.
_CLOSABLE = ("requests", "connections")
_TABS = {
    "routes": "Routes",
    "requests": "Requests",
    "tasks": "Tasks",
    "connections": "Connections",
    "executors": "Executors",
    "breakers": "Breakers",
    "guard": "Guard",
    "findings": "Findings",
}


class Top(App[None]):
    """The view of what `source` says. `interval`: seconds between two questions; 0 asks only when a key is pressed."""

    CSS = """
    #heading { height: auto; background: $panel; padding: 0 1; }
    #filter { height: 3; display: none; }
    #status { height: 1; padding: 0 1; }
    #status.gone { background: $error; }
    DataTable { height: 1fr; }
    TabbedContent { height: 1fr; }
    .over { margin: 2 4; border: round $accent; background: $surface; padding: 0 1; }
    .small { height: auto; width: auto; max-width: 90%; }
    Confirm { align: center middle; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("slash", "filter", "Filter"),
        Binding("escape", "clear", "Clear", show=False),
        Binding("s", "sort", "Sort"),
        Binding("r", "reverse", "Reverse"),
        Binding("x", "end", "Close"),
        Binding("p", "pause", "Pause"),
        Binding("u", "again", "Update", show=False),
        *(
            # One entry for all of them.
            Binding(str(number), f"open('{name}')", "Tables", key_display=f"1-{len(_TABS)}", show=number == 1)
            for number, name in enumerate(_TABS, 1)
        ),
    ]
    ENABLE_COMMAND_PALETTE = False
    # Otherwise the field for the filter takes all keys.
    AUTO_FOCUS = ""

    def __init__(self, source: Source, interval: float = INTERVAL) -> None:
        super().__init__()
        self._source = source
        self._interval = interval
        self._now: Answers | None = None
        self._before: Answers | None = None
        self._shown: dict[str, Table] = {}
        self._orders: dict[str, tuple[int | None, bool]] = {}
        self._needle = ""
        self._asking = False
        self._paused = False
        self._is_gone = False

    def compose(self) -> ComposeResult:
        """See textual."""
        yield Static("", markup=False, id="heading")
        yield Input(placeholder="Show rows with ... (Escape: all)", id="filter")
        with TabbedContent(id="tabs"):
            for name, title in _TABS.items():
                with TabPane(title, id=name):
                    yield DataTable(cursor_type="row", zebra_stripes=True, id=f"table-{name}")
        yield Static("", markup=False, id="status")
        yield Footer()

    def on_mount(self) -> None:
        """See textual."""
        self._widget(next(iter(_TABS))).focus()
        self.action_again()
        if self._interval > 0.0:
            self.set_interval(self._interval, self._due)

    # -- asking -----------------------------------------------------------------------------------------

    def _due(self) -> None:
        if not self._paused:
            self.action_again()

    def action_again(self) -> None:
        """Asks now, unless that is being done."""
        if self._asking or self._is_gone:
            return
        self._asking = True
        self.run_worker(self._refresh(), group="refresh")

    async def _refresh(self) -> None:
        try:
            answers = await self._asked(self._source.answers)
        finally:
            self._asking = False
        if answers is not None:
            self._before, self._now = self._now, answers
            self._say("paused" if self._paused else "")
            self._show()

    async def _asked(self, ask: Callable[[], T]) -> T | None:
        """Returns an answer; None, and says why, where there is none."""
        try:
            return await asyncio.to_thread(ask)
        except NoDoctor as error:
            self._is_gone = True
            self.query_one("#status", Static).add_class("gone")
            self._say(f"{str(error).capitalize()}. This is how it was.")
        except ControlError as error:
            self._say(f"No answer: {error}")
        return None

    def _say(self, said: str) -> None:
        self.query_one("#status", Static).update(Text(said))

    # -- showing ----------------------------------------------------------------------------------------

    def _show(self) -> None:
        """Shows the last answers in the order and with the filter that are wanted."""
        if self._now is None:
            return
        self.query_one("#heading", Static).update(Text("\n".join(heading(self._now))))
        tabs = self.query_one("#tabs", TabbedContent)
        for table in tables(self._now, self._before):
            column, backwards = self._orders.get(table.name, (None, False))
            wanted = arranged(table, self._needle, column, backwards)
            widget = self._widget(table.name)
            if not widget.columns:
                columns(widget, wanted)
            if wanted != self._shown.get(table.name):
                fill(widget, wanted)
                self._shown[table.name] = wanted
            tabs.get_tab(table.name).label = Text(
                f"{_TABS[table.name]} {len(table.rows) or ''}".rstrip()
            ).plain

    def _widget(self, name: str) -> DataTable[Text]:
        return self.query_one(f"#table-{name}", DataTable)

    def _current(self) -> tuple[str, Row | None]:
        """Returns the table that is shown, and its row under the cursor."""
        name = self.query_one("#tabs", TabbedContent).active
        table, place = self._shown.get(name), self._widget(name).cursor_row
        return name, table.rows[place] if table is not None and 0 <= place < len(table.rows) else None

    def on_tabbed_content_tab_activated(self, event: TabbedContent.TabActivated) -> None:
        """Lets keys go to the table that is shown."""
        if event.pane.id is not None and not self.query_one("#filter", Input).display:
            self._widget(event.pane.id).focus()

    def action_open(self, name: str) -> None:
        """Shows the table of that name."""
        self.query_one("#tabs", TabbedContent).active = name

    # -- sorting and filtering --------------------------------------------------------------------------

    def action_sort(self) -> None:
        """Sorts by the next column, and after the last one not at all."""
        name, _ = self._current()
        column, _ = self._orders.get(name, (None, False))
        following = 0 if column is None else column + 1
        table = self._shown.get(name)
        if table is not None:
            self._sort(name, following if following < len(table.columns) else None)

    def action_reverse(self) -> None:
        """Sorts the other way round."""
        name, _ = self._current()
        column, backwards = self._orders.get(name, (0, False))
        self._sort(name, column, not backwards)

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        """Sorts by a column, and at once more the other way round."""
        name, _ = self._current()
        column, backwards = self._orders.get(name, (None, False))
        self._sort(name, event.column_index, column == event.column_index and not backwards)

    def _sort(self, name: str, column: int | None, backwards: bool = False) -> None:
        self._orders[name] = (column, backwards)
        self._show()
        table = self._shown.get(name)
        by = "as they come" if column is None or table is None else f"by {table.columns[column].title}"
        self._say(f"Sorted {by}{', reversed' if backwards and column is not None else ''}")

    def action_filter(self) -> None:
        """Asks what is to be shown."""
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Shows what is wanted while it is typed."""
        self._needle = event.value
        self._show()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Goes on with what is shown."""
        self._widget(self._current()[0]).focus()

    def action_clear(self) -> None:
        """Shows everything again."""
        field = self.query_one("#filter", Input)
        field.value = ""
        field.display = False
        self._widget(self._current()[0]).focus()

    def action_pause(self) -> None:
        """Stands still, or goes on."""
        self._paused = not self._paused
        self._say("Paused: p goes on, u asks once" if self._paused else "")

    # -- one of them ------------------------------------------------------------------------------------

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Shows more of a row."""
        name, row = self._current()
        if row is None:
            return
        if name == "tasks":
            self._drill(lambda stacks: tasks_at(stacks, row.subject["place"]))
        elif name == "requests":
            self._drill(lambda stacks: tasks_for(stacks, row.subject["label"]))
        elif name == "findings":
            self.push_screen(Reading(finding_text(row.subject)))
        else:
            titles = [column.title for column in self._shown[name].columns]
            lines = [f"{title}: {cell.text}" for title, cell in zip(titles, row.cells, strict=True)]
            self.push_screen(Reading("\n".join(lines)))

    def _drill(self, choose: Callable[[Mapping[str, Any]], Table]) -> None:
        async def show() -> None:
            stacks = await self._asked(self._source.stacks)
            if stacks is None:
                return

            def read(task: Mapping[str, Any]) -> str:
                return text_of({**stacks, "tasks": [task], "threads": []})

            self.push_screen(Tasks(choose(stacks), read, self._cancel))

        self.run_worker(show(), group="drill", exclusive=True)

    def _cancel(self, task: Mapping[str, Any]) -> None:
        self._do(lambda: self._source.cancel(task))

    def action_end(self) -> None:
        """Asks whether what is under the cursor is to be ended."""
        name, row = self._current()
        if row is None or name not in _CLOSABLE:
            self._say(
                "Only requests and connections can be closed; tasks are cancelled where Enter shows them"
            )
            return
        entry = row.subject

        def answered(answer: bool | None) -> None:
            if answer:
                self._do(lambda: self._source.close(entry))

        self.push_screen(Confirm(f"End {entry['kind']} {entry['label']} of {entry['peer']}?"), answered)

    def _do(self, ask: Callable[[], str]) -> None:
        async def do() -> None:
            said = await self._asked(ask)
            if said is not None:
                self.action_again()
                self.notify(said, markup=False)

        self.run_worker(do(), group="do")
