"""A JSON API: notes, kept in memory. Run it: eyewall run examples/notes.py"""

import itertools
from typing import Any

from eyewall.base import json_decode
from eyewall.web import Application, HTTPError, RequestHandler, url


class Notes:
    def __init__(self) -> None:
        self.texts: dict[int, str] = {}
        self.numbers = itertools.count(1)


class Resource(RequestHandler):
    """What all handlers of the API share: JSON in, JSON out, errors included."""

    def initialize(self, notes: Notes) -> None:
        self.notes = notes

    def text_of_body(self) -> str:
        if self.request.headers.get("Content-Type", "").partition(";")[0] != "application/json":
            raise HTTPError(415)
        try:
            document = json_decode(self.request.body)
        except ValueError as error:
            raise HTTPError(400, "not JSON: %s", error) from None
        text = document.get("text") if isinstance(document, dict) else None
        if not isinstance(text, str):
            raise HTTPError(422, "no text", reason="A note needs a text")
        return text

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.finish({"status": status_code, "error": self._reason})


class Collection(Resource):
    def get(self) -> None:
        self.write({"notes": [{"id": number, "text": text} for number, text in self.notes.texts.items()]})

    def post(self) -> None:
        text = self.text_of_body()
        number = next(self.notes.numbers)
        self.notes.texts[number] = text
        self.set_status(201)
        self.set_header("Location", self.reverse_url("note", number))
        self.write({"id": number, "text": text})


class Note(Resource):
    def prepare(self) -> None:
        self.number = int(self.path_args[0])
        if self.number not in self.notes.texts:
            raise HTTPError(404)

    def get(self, number: str) -> None:
        self.write({"id": self.number, "text": self.notes.texts[self.number]})

    def put(self, number: str) -> None:
        self.notes.texts[self.number] = self.text_of_body()
        self.set_status(204)

    def delete(self, number: str) -> None:
        del self.notes.texts[self.number]
        self.set_status(204)


def make_app() -> Application:
    notes = {"notes": Notes()}
    return Application(
        [
            url("/notes", Collection, notes),
            url("/notes/([0-9]{1,9})", Note, notes, name="note"),
        ]
    )
