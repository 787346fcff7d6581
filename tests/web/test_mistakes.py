"""Usual mistakes in handlers are explained, in the log and on the page, behind the text that programs may know."""

import asyncio
import gc

import pytest

from eyewall.web import Application, RequestHandler, mistakes

from .serving import ask

#: The doctor is not what is asked here.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")


async def load():
    return {"price": 1}


def three():
    return 3


class Shop(RequestHandler):
    async def fetch(self):
        return "x"


def raised(caplog, method, *, base=Shop):
    """What is logged of the exception when `method` answers a request."""
    kind = type("Handler", (base,), {"get": method})
    caplog.clear()
    ask(Application([("/", kind)]), "/")
    [record] = [each for each in caplog.records if each.name == "tornado.application"]
    _, error, _ = record.exc_info
    return error


def note_of(caplog, method):
    error = raised(caplog, method)
    [note] = error.__notes__
    # The log prints it.
    assert note in caplog.text
    return note


@pytest.fixture(params=["pure", "as compiled"], autouse=True)
def _build(request, monkeypatch, caplog):
    """A compiled `write` has no variables to look at."""
    if request.param == "as compiled":
        monkeypatch.setattr(mistakes, "_passed", lambda traceback: "")
    yield
    # The coroutines that nobody awaited are in the tracebacks: they are to go where their warning is expected. What was
    # logged during the test is not what `clear` clears after it.
    caplog.get_records("call").clear()
    gc.collect()


def test_write_of_a_coroutine(caplog):
    async def get(self):
        self.write(self.fetch())

    error = raised(caplog, get)
    assert str(error) == "write() only accepts bytes, unicode, and dict objects"
    assert error.__notes__ == [
        "It was given a coroutine, `self.fetch()`. An `await` is missing before it: write `await self.fetch()`."
    ]


def test_write_of_a_coroutine_over_several_lines(caplog):
    def get(self):
        self.write(
            load(
                # Nothing.
            )
        )

    assert "a coroutine, `load()`" in note_of(caplog, get)


def test_finish_of_a_coroutine_in_a_variable(caplog):
    def get(self):
        page = load()
        self.finish(page)

    assert "write `await page`" in note_of(caplog, get)


@pytest.mark.parametrize(
    ("value", "said"),
    [(5, "an int, `value`"), (2.5, "a float"), (None, "None, `value`"), (("a",), "a tuple"), ({1}, "a set")],
)
def test_write_of_another_type(caplog, value, said):
    def get(self):
        self.write(value)

    assert said in note_of(caplog, get)


def test_write_of_what_a_function_returns(caplog):
    def get(self):
        self.write(three())

    assert "`three()`" in note_of(caplog, get)


def test_a_list_keeps_its_reason(caplog):
    def get(self):
        self.write([1])

    error = raised(caplog, get)
    assert "Lists not accepted for security reasons" in str(error)
    assert "`[1]`" in error.__notes__[0]


def test_a_coroutine_used_as_its_result(caplog):
    async def get(self):
        found = load()
        self.write(str(found["price"]))

    assert "An `await` is missing" in note_of(caplog, get)

    async def get_attribute(self):
        self.write(load().price)

    assert "An `await` is missing" in note_of(caplog, get_attribute)


def test_finish_twice(caplog):
    def get(self):
        self.finish("a")
        self.finish("b")

    error = raised(caplog, get)
    assert str(error) == "finish() called twice"
    line = get.__code__.co_firstlineno + 1
    assert error.__notes__ == [
        f"The response was finished by `self.finish('a')` in line {line}. A `return` behind that keeps the rest from "
        "running."
    ]


def test_write_after_redirect(caplog):
    def get(self):
        if self.request.method == "GET":
            self.redirect("/login")
        self.write("b")

    error = raised(caplog, get)
    assert str(error) == "Cannot write() after finish()"
    assert "`self.redirect('/login')`" in error.__notes__[0]


def test_finished_elsewhere(caplog):
    def leave(self):
        self.finish("a")

    async def get(self):
        leave(self)
        await asyncio.sleep(0)
        self.write("b")

    assert "before: by finish(), redirect()" in note_of(caplog, get)


@pytest.mark.parametrize(("value", "kind"), [("text", "str"), ({"a": 1}, "dict"), (5, "int")])
def test_a_verb_that_returns_what_it_should_write(caplog, value, kind):
    note = note_of(caplog, lambda self: value)
    assert f"Handler.get (or `prepare`) returned a {kind}" in note
    assert "self.write(...)" in note


def test_a_verb_that_yields(caplog):
    def get(self):
        yield asyncio.sleep(0)

    assert "@gen.coroutine" in note_of(caplog, get)

    async def get_async(self):
        yield "a"

    assert "`async def` with a `yield`" in note_of(caplog, get_async)


def test_await_of_what_is_none(caplog):
    async def get(self):
        await self.write("a")

    line = get.__code__.co_firstlineno + 1
    assert f"behind `await` in line {line} is no coroutine: it returned None" in note_of(caplog, get)


def test_other_errors_have_no_note(caplog):
    for error in (
        TypeError("other"),
        TypeError(),
        RuntimeError("other"),
        AttributeError("other"),
        ValueError("other"),
    ):

        def get(self, error=error):
            raise error

        assert not hasattr(raised(caplog, get), "__notes__")


def test_the_same_error_again_has_one_note(caplog):
    kept = RuntimeError("finish() called twice")

    def get(self):
        raise kept

    raised(caplog, get)
    assert len(raised(caplog, get).__notes__) == 1
