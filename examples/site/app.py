"""A site: pages from templates, a UI module, static files. Run it: eyewall run examples/site/app.py"""

from pathlib import Path
from typing import NamedTuple

from eyewall.web import Application, RequestHandler, UIModule

HERE = Path(__file__).parent


class Storm(NamedTuple):
    name: str
    year: int
    knots: int


STORMS = [Storm("Tip", 1979, 165), Storm("Patricia", 2015, 185), Storm("<Nameless>", 1900, 125)]


class StormRow(UIModule):
    def render(self, storm: Storm) -> bytes:
        return self.render_string("storm.html", storm=storm)


class Storms(RequestHandler):
    def get(self) -> None:
        self.render("storms.html", storms=STORMS, title="Storms")


app = Application(
    [("/", Storms)],
    template_path=str(HERE / "templates"),
    static_path=str(HERE / "static"),
    ui_modules={"StormRow": StormRow},
    compress_response=True,
)
