"""A compiled template."""

from __future__ import annotations

import ast
import builtins
import datetime
import linecache
import threading
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any, Protocol, cast

from eyewall.base.escape import json_encode, linkify, squeeze, url_escape
from eyewall.base.text import escape_text, xhtml_escape
from eyewall.web.template import nodes, runtime
from eyewall.web.template.codegen import DIRECT_ESCAPE, Generator
from eyewall.web.template.errors import ParseError
from eyewall.web.template.fragments import PYTHON_ERRORS, explain
from eyewall.web.template.listing import Listing
from eyewall.web.template.parser import Parser
from eyewall.web.template.whitespace import MODES, mode_for

#: CO_GENERATOR, CO_COROUTINE, CO_ITERABLE_COROUTINE, CO_ASYNC_GENERATOR: a function that would not run when
#: called.
_SUSPENDS = 0x20 | 0x80 | 0x100 | 0x200

#: What every template sees. `__builtins__` is given so that making the function need not look for it.
_NAMES: dict[str, Any] = {
    "__builtins__": builtins,
    "datetime": datetime,
    "escape": xhtml_escape,
    "json_encode": json_encode,
    "linkify": linkify,
    "squeeze": squeeze,
    "url_escape": url_escape,
    "xhtml_escape": xhtml_escape,
}


class _Unset:
    """The default of arguments for which None means something."""


_UNSET = _Unset()


class LoaderView(Protocol):
    """What a template needs of the loader it comes from."""

    autoescape: str | None
    namespace: dict[str, Any]
    whitespace: str | None

    def load(self, name: str, parent_path: str | None = None) -> Template: ...


class _Building(threading.local):
    """The templates that this thread is compiling, the outermost first: each waits for the next."""

    def __init__(self) -> None:
        self.stack: list[tuple[LoaderView | None, str]] = []


_building = _Building()


class Template:
    """A template, compiled to a Python function.

    `template_string` is str, or bytes in UTF-8. `name` is for errors and tells how white space is treated;
    `loader` finds what the template extends and includes and gives it its namespace. `autoescape` is the name
    of the function that expressions go through, None for no escaping, by default the loader's; `whitespace`
    is a mode of `filter_whitespace`, by default the loader's or what fits the name. `compress_whitespace` is
    the older way to say it: true for `single`, false for `all`. Raises ParseError for a template that cannot
    be compiled, and what the loader raises for one that cannot be found.
    """

    def __init__(
        self,
        template_string: str | bytes,
        name: str = "<string>",
        loader: LoaderView | None = None,
        compress_whitespace: bool | _Unset = _UNSET,
        autoescape: str | _Unset | None = _UNSET,
        whitespace: str | None = None,
    ) -> None:
        self.name = name
        self.loader = loader
        self.namespace: dict[str, Any] = loader.namespace if loader else {}
        if not isinstance(compress_whitespace, _Unset):
            if whitespace is not None:
                raise ValueError("cannot set both whitespace and compress_whitespace")
            whitespace = "single" if compress_whitespace else "all"
        if whitespace is None:
            whitespace = (loader.whitespace if loader else None) or mode_for(name)
        if whitespace not in MODES:
            raise ValueError(f"invalid whitespace mode {whitespace}")
        if isinstance(autoescape, _Unset):
            autoescape = loader.autoescape if loader else DIRECT_ESCAPE
        self.autoescape = autoescape
        source = _decoded(template_string, name)
        #: Not a name of the form `<…>`, for which Python would not ask us for the lines.
        self._filename = f"{name} (template)"
        key = (loader, name)
        if key in _building.stack:
            raise ParseError(_cycle(name), name, 1)
        _building.stack.append(key)
        try:
            self.file = Parser(source, name, autoescape, whitespace).parse()
            self.compiled, self._listing = self._compile()
        except RecursionError as error:
            raise ParseError(explain(error), name, 1) from error
        finally:
            _building.stack.pop()
        # Lines of a template of this name that was loaded before would be shown for this one.
        linecache.cache.pop(self._filename, None)

    def generate(self, **kwargs: Any) -> bytes:
        """Renders the template with `kwargs` as its variables, over those of the loader's namespace.

        Raises whatever the template's expressions raise; the traceback shows the lines of the template.
        """
        namespace = {**_NAMES, **self.namespace, **kwargs, "__name__": self.name, "__loader__": self._listing}
        function = namespace[DIRECT_ESCAPE]
        escape = escape_text if function is xhtml_escape else runtime.escape_with(function)
        render = cast(Callable[..., bytes], FunctionType(self.compiled, namespace))
        return render(escape, runtime.raw_text, runtime.argument_of, runtime.result_of, runtime.finish)

    @property
    def code(self) -> str:
        """The function as Python source, generated anew for whoever wants to read it."""
        module, _ = self._module(DIRECT_ESCAPE not in self.compiled.co_varnames)
        return ast.unparse(module)

    def _module(self, direct: bool) -> tuple[ast.Module, Listing]:
        generator = Generator(self.file, self._file_named if self.loader else None, direct)
        return generator.module(), generator.listing

    def _file_named(self, name: str, parent: str) -> nodes.File:
        assert self.loader is not None
        return self.loader.load(name, parent_path=parent).file

    def _compile(self) -> tuple[CodeType, Listing]:
        module, listing = self._module(direct=True)
        code = self._function(module, listing)
        if DIRECT_ESCAPE in code.co_varnames or DIRECT_ESCAPE in code.co_cellvars:
            # The template assigns to the name, so that in it the name means something else.
            module, listing = self._module(direct=False)
            code = self._function(module, listing)
        return code, listing

    def _function(self, module: ast.Module, listing: Listing) -> CodeType:
        try:
            # Not with the `from __future__` imports of this module.
            compiled = compile(module, self._filename, "exec", dont_inherit=True)
        except PYTHON_ERRORS as error:
            line = error.lineno if isinstance(error, SyntaxError) else None
            filename, number = listing.origin(line or 1)
            raise ParseError(f"invalid Python: {explain(error)}", filename, number) from error
        code = next(found for found in compiled.co_consts if isinstance(found, CodeType))
        if code.co_flags & _SUSPENDS:
            found = next(n for n in ast.walk(module) if isinstance(n, (ast.Yield, ast.YieldFrom, ast.Await)))
            raise ParseError("a template cannot yield or await", *listing.origin(found.lineno))
        return code


def _decoded(source: str | bytes, name: str) -> str:
    try:
        if isinstance(source, bytes):
            return source.decode("utf-8")
        source.encode("utf-8")
    except UnicodeDecodeError as error:
        raise ParseError("not UTF-8", name, error.object.count(b"\n", 0, error.start) + 1) from error
    except UnicodeEncodeError as error:
        raise ParseError("lone surrogate", name, error.object.count("\n", 0, error.start) + 1) from error
    return source


def _cycle(name: str) -> str:
    names = [built for _, built in _building.stack]
    return "template includes or extends itself: " + " -> ".join([*names[names.index(name) :], name])
