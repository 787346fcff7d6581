"""What lies over the tables for a while: a question, a text, and the tasks of one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import DataTable, Footer, Static

from eyewall.doctor.top.cells import Table


class Confirm(ModalScreen[bool]):
    """A question, to be answered with y or n."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n,escape", "answer(False)", "No"),
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        """See textual."""
        with Vertical(classes="over small"):
            yield Static(f"{self.question}\n\ny: yes   n: no", markup=False, id="question")

    def action_answer(self, answer: bool) -> None:
        """It is answered."""
        self.dismiss(answer)


class Reading(ModalScreen[None]):
    """A text to be read."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "dismiss", "Back")]

    def __init__(self, said: str) -> None:
        super().__init__()
        self.said = said

    def compose(self) -> ComposeResult:
        """See textual."""
        with VerticalScroll(classes="over"):
            yield Static(self.said, markup=False, id="said")
        yield Footer()


class Tasks(ModalScreen[None]):
    """The tasks of one place: Enter shows the stack of one, x cancels it.

    `read`: what a stack is, as text. `cancel`: called with a task once that was confirmed.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Back"),
        Binding("x", "cancel", "Cancel the task"),
    ]

    def __init__(
        self,
        table: Table,
        read: Callable[[Mapping[str, Any]], str],
        cancel: Callable[[Mapping[str, Any]], None],
    ) -> None:
        super().__init__()
        self.table = table
        self._read = read
        self._cancel = cancel

    def compose(self) -> ComposeResult:
        """See textual."""
        with Vertical(classes="over"):
            yield Static(f"{self.table.title} ({len(self.table.rows)})", markup=False)
            yield DataTable(cursor_type="row", zebra_stripes=True, id="single")
        yield Footer()

    def on_mount(self) -> None:
        """See textual."""
        widget = self.query_one(DataTable)
        columns(widget, self.table)
        fill(widget, self.table)
        widget.focus()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Shows where a task stands."""
        # It is no row of the tables below.
        event.stop()
        self.app.push_screen(Reading(self._read(self.table.rows[event.cursor_row].subject)))

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        """It is no column of the tables below."""
        event.stop()

    def action_cancel(self) -> None:
        """Asks whether the task is to be cancelled."""
        if not self.table.rows:
            return
        task = self.table.rows[self.query_one(DataTable).cursor_row].subject

        def answered(answer: bool | None) -> None:
            if answer:
                self._cancel(task)
                self.dismiss()

        self.app.push_screen(Confirm(f"Cancel the task {task['name']}?"), answered)


def columns(widget: DataTable[Text], table: Table) -> None:
    """Gives a widget the columns of a table."""
    for number, column in enumerate(table.columns):
        title = Text(column.title, justify="right" if column.is_number else "left")
        widget.add_column(title, key=str(number))


def fill(widget: DataTable[Text], table: Table) -> None:
    """Gives a widget the rows of a table; the cursor stays with its row, where that is still there."""
    key = None
    if widget.row_count:
        key = widget.coordinate_to_cell_key(widget.cursor_coordinate).row_key.value
    row, (left, top) = widget.cursor_row, widget.scroll_offset
    widget.clear()
    for number, each in enumerate(table.rows):
        cells = [
            Text(cell.text, justify="right" if column.is_number else "left")
            for cell, column in zip(each.cells, table.columns, strict=True)
        ]
        widget.add_row(*cells, key=each.key)
        if each.key == key:
            row = number
    if table.rows:
        widget.move_cursor(row=min(row, len(table.rows) - 1), scroll=False)
        widget.scroll_to(left, top, animate=False)
