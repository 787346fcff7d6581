"""JupyterLab in Chromium, as somebody sits before it: notebooks, terminals, dialogs, the file browser."""

from __future__ import annotations

import json
from pathlib import Path

from selenium.common.exceptions import ElementClickInterceptedException, StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.cli.demo.browser import Browser

from .labprogram import TOKEN, Lab

#: What shows a cell's prompt, between its brackets: "*" while it runs, then a number.
_PROMPT = ".jp-InputPrompt"


def notebook(*cells: str) -> str:
    """Returns a notebook of Python with these cells, not run yet."""
    return json.dumps(
        {
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"cell-{number}",
                    "source": source,
                    "execution_count": None,
                    "metadata": {},
                    "outputs": [],
                }
                for number, source in enumerate(cells)
            ],
            "metadata": {
                "kernelspec": {
                    "name": "python3",
                    "display_name": "Python 3 (ipykernel)",
                    "language": "python",
                }
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )


class Desk:
    """One visit."""

    def __init__(self, browser: Browser, lab: Lab) -> None:
        self.browser = browser
        self.lab = lab

    def click(self, selector: str) -> None:
        """Clicks as soon as there is something to click, and nothing in front of it."""

        def clicked() -> bool:
            for element in self.browser.all(selector):
                try:
                    if element.is_displayed():
                        element.click()
                        return True
                except (ElementClickInterceptedException, StaleElementReferenceException):
                    return False
            return False

        self.browser.until(clicked, f"{selector} cannot be clicked")

    def press(self, *keys: str) -> None:
        """Presses keys together, the last one last."""
        chain = ActionChains(self.browser.page)
        for key in keys[:-1]:
            chain.key_down(key)
        chain.send_keys(keys[-1])
        for key in reversed(keys[:-1]):
            chain.key_up(key)
        chain.perform()

    def type(self, text: str) -> None:
        ActionChains(self.browser.page).send_keys(text).perform()

    def launcher(self) -> None:
        """Visits with an empty desk."""
        self.browser.open(f"/lab?token={TOKEN}&reset")
        self.browser.until(lambda: self.browser.all(".jp-LauncherCard"), "there is no launcher")

    # -- notebooks --------------------------------------------------------------------------------------

    def open_notebook(self, name: str, *cells: str) -> Path:
        """Writes a notebook and opens it; returns its file. Its kernel is there. An empty cell is behind the others."""
        file = self.lab.root / name
        file.write_text(notebook(*cells, ""))
        self.browser.open(f"/lab/tree/{name}?token={TOKEN}&reset")
        self.browser.until(lambda: len(self.cells()) == len(cells) + 1, "the notebook is not shown")
        # JupyterLab shows an idle kernel already before there is one, and drops what is run then.
        self.browser.until(lambda: self.lab.is_connected(name), "there is no kernel")
        self.wait_for_kernel()
        return file

    def cells(self) -> list[WebElement]:
        return self.browser.all(".jp-Notebook .jp-CodeCell")

    def wait_for_kernel(self) -> None:
        """Waits until the kernel has nothing to do."""
        self.browser.until(
            lambda: self.browser.all(".jp-Notebook-ExecutionIndicator[data-status=idle]"),
            "the kernel is not idle",
        )

    def begin_cell(self, number: int) -> None:
        """Runs a cell with the mouse, and does not wait."""
        active = f"{self._cell(number)}.jp-mod-active"

        def selected() -> bool:
            self.click(self._editor(number))
            return bool(self.browser.all(active))

        self.browser.until(selected, f"cell {number} cannot be selected")
        self.toolbar("notebook:run-cell-and-select-next")

    def _cell(self, number: int) -> str:
        return f".jp-Notebook .jp-CodeCell:nth-child({number + 1} of .jp-CodeCell)"

    def _editor(self, number: int) -> str:
        return f"{self._cell(number)} .cm-content"

    def run_cell(self, number: int) -> str:
        """Runs a cell; returns what it shows when it is done."""
        before = self.prompt(number)
        self.begin_cell(number)
        self.wait_for_cell(number, before)
        return self.output(number)

    def wait_for_cell(self, number: int, before: str = "[ ]:") -> None:
        def done() -> bool:
            prompt = self.prompt(number)
            return prompt not in (before, "[ ]:", "[*]:", "")

        self.browser.until(done, f"cell {number} is not done: {self.prompt(number)}")
        self.wait_for_kernel()

    def prompt(self, number: int) -> str:
        prompts = self.browser.texts(f".jp-Notebook .jp-CodeCell {_PROMPT}")
        return prompts[number] if number < len(prompts) else ""

    def output(self, number: int) -> str:
        """Returns the text of what a cell shows."""
        return str(
            self.browser.run(
                """return [...document.querySelectorAll(".jp-Notebook .jp-CodeCell")[arguments[0]]
                .querySelectorAll(".jp-OutputArea-output")].map((each) => each.textContent).join("\\n").trim()""",
                number,
            )
        )

    def add_cell(self, source: str) -> str:
        """Adds a cell at the end, and runs it with the keyboard; returns what it shows."""
        number = len(self.cells())
        self.click(".jp-Notebook-footer")
        self.browser.until(lambda: len(self.cells()) == number + 1, "no cell was added")
        self.click(self._editor(number))
        self.browser.until(lambda: self.browser.all(".jp-mod-editMode"), "the cell cannot be written in")
        self.type(source)
        self.press(Keys.CONTROL, Keys.ENTER)
        self.wait_for_cell(number)
        return self.output(number)

    def toolbar(self, command: str) -> None:
        """Clicks a button of the notebook's toolbar, by the command that it stands for."""
        self.click(f'.jp-NotebookPanel-toolbar [data-command="{command}"]')

    def save(self) -> None:
        self.press(Keys.CONTROL, "s")

    def accept(self) -> None:
        """Says yes to a dialog."""
        self.click(".jp-Dialog .jp-mod-accept")
        self.browser.until(lambda: not self.browser.all(".jp-Dialog"), "the dialog stays")

    # -- terminals and files ----------------------------------------------------------------------------

    def open_terminal(self) -> None:
        """Opens a terminal from the launcher; its shell has said something."""
        self.launcher()
        self.click('.jp-LauncherCard[title="Start a new terminal session"]')
        self.browser.until(self.screen, "the terminal's shell says nothing")

    def screen(self) -> str:
        """Returns what the terminal shows."""
        return "\n".join(self.browser.texts(".jp-Terminal .xterm-accessibility-tree > div")).strip()

    def enter(self, line: str) -> None:
        """Types a line into the terminal."""
        self.browser.find(".jp-Terminal .xterm-helper-textarea").send_keys(line + Keys.ENTER)

    def upload(self, *files: Path) -> None:
        """Uploads files by the button of the file browser."""
        # The button opens a chooser for an input that is not in the page, where nobody can reach it: it is put there.
        self.browser.run(
            """HTMLInputElement.prototype.click = function () {
                this.id = "chooser";
                document.body.append(this);
            };"""
        )
        self.click(
            '.jp-FileBrowser-toolbar [data-command="filebrowser:upload"], '
            '.jp-FileBrowser-toolbar [title="Upload Files"]'
        )
        chooser = self.browser.until(lambda: self.browser.all("#chooser"), "no file is asked for")[0]
        chooser.send_keys("\n".join(map(str, files)))
