"""Makes one Python function out of a template file, what it extends and what it includes.

The function appends text to a list and hands it to `finish`, which joins and encodes it once:

    _tt_out = []
    for row in rows:
        _tt_out += ('<tr><td>', _tt_escape(row.name), '</td></tr>')
    return _tt_finish(_tt_out)

Literals that touch become one, across tags that print nothing and across files. What is printed between two
statements goes to the list at once, as a tuple: that is the cheapest way there is, and expressions are still
evaluated and converted from left to right. Inside `{% try %}` each piece goes by itself, because what was
printed before an exception must stay.

The syntax tree is built directly; Python never parses generated text. Included files and blocks become part
of the function, so that they see its variables.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable
from typing import Any, TypeVar

from eyewall.web.template import nodes
from eyewall.web.template.errors import ParseError
from eyewall.web.template.listing import Listing

#: The parameters of the function; `runtime` says what each does.
PARAMETERS = ("_tt_escape", "_tt_raw", "_tt_argument", "_tt_result", "_tt_finish")
#: The escaping function that `_tt_escape` stands for, unless a template makes the name a variable of its own.
DIRECT_ESCAPE = "xhtml_escape"

#: Pieces in one tuple. Python builds larger ones piece by piece, as a list first.
_RUN = 24
_OUT = "_tt_out"

#: Gets a template name and the name of the file that names it, and returns the file.
FileSource = Callable[[str, str], nodes.File]

_Tree = TypeVar("_Tree", bound=ast.AST)


class Generator:
    """Generates the function of `main`. `source` finds other files; None where there is no loader.

    `listing` is complete once `module` has returned. With `direct` false, `xhtml_escape` is called by its
    name like any other escaping function.
    """

    def __init__(self, main: nodes.File, source: FileSource | None, direct: bool = True) -> None:
        self.listing = Listing(main)
        self._main = main
        self._source = source
        self._direct = direct
        self._blocks: dict[str, tuple[nodes.Block, nodes.File]] = {}
        self._found: dict[tuple[str, str], nodes.File] = {}
        # Where we are: the file, what leads from its line numbers to the listing's, and how we came in.
        self._file = main
        self._shift = 0
        self._via = ""
        self._loops = 0
        self._tries = 0
        self._applies = 0
        self._out = _OUT
        self._statements: list[ast.stmt] = []
        self._run: list[ast.expr] = []

    def module(self) -> ast.Module:
        """Returns a module with the function in it and nothing else. Raises ParseError."""
        chain = [self._main]
        while chain[-1].extends is not None:
            chain.append(self._load(chain[-1], chain[-1].extends, chain[-1].extends_line, "extends"))
        # The last definition of a block counts: that of the file that was asked for, before those it extends.
        for file in reversed(chain):
            self._collect(file.body, file)
        root = chain[-1]
        self._within(root, 1, root.source.count("\n") + 1, "", root.body)
        self._flush()
        last = self.listing.last_line
        begin = ast.Assign([_name(_OUT, last, ast.Store())], _at(ast.List([], ast.Load()), last))
        done = ast.Return(_call("_tt_finish", _name(_OUT, last), last))
        # Parsed, not built, so that it has all the fields that this version of Python wants.
        module = ast.parse(f"def template({', '.join(PARAMETERS)}): pass")
        function = module.body[0]
        assert isinstance(function, ast.FunctionDef)
        function.body = [_at(begin, 1), *self._statements, _at(done, last)]
        return module

    # -- files and blocks -------------------------------------------------------------------------------

    def _load(self, file: nodes.File, name: str, line: int, tag: str) -> nodes.File:
        if self._source is None:
            raise ParseError(f"{{% {tag} %}} block found, but no template loader", file.name, line)
        key = (name, file.name)
        found = self._found.get(key)
        if found is None:
            try:
                found = self._source(name, file.name)
            except Exception as error:
                error.add_note(f"{tag} {name!r} in {file.name}:{line}")
                raise
            self._found[key] = found
        if tag == "include" and found.extends is not None:
            raise ParseError(f"{found.name} extends another template and cannot be included", file.name, line)
        return found

    def _collect(self, body: nodes.Body, file: nodes.File) -> None:
        for node in body:
            match node:
                case nodes.Block():
                    self._blocks[node.name] = (node, file)
                    self._collect(node.body, file)
                case nodes.Include():
                    included = self._load(file, node.name, node.line, "include")
                    self._collect(included.body, included)
                case nodes.If():
                    for _, branch in node.branches:
                        self._collect(branch, file)
                    self._collect(node.orelse or [], file)
                case nodes.For() | nodes.While():
                    self._collect(node.body, file)
                    self._collect(node.orelse or [], file)
                case nodes.Try():
                    self._collect(node.body, file)
                    for _, branch in node.handlers:
                        self._collect(branch, file)
                    self._collect(node.orelse or [], file)
                    self._collect(node.final or [], file)
                case nodes.Apply():
                    self._collect(node.body, file)

    def _within(self, file: nodes.File, first: int, last: int, via: str, body: nodes.Body) -> None:
        outer = self._file, self._shift, self._via
        self._file, self._via = file, via
        self._shift = self.listing.place(file, first, last, via)
        self._emit_all(body)
        self._file, self._shift, self._via = outer

    def _came_by(self, line: int) -> str:
        here = f"{self._file.name}:{line}"
        return f"{here}, {self._via}" if self._via else here

    # -- printing ---------------------------------------------------------------------------------------

    def _print(self, piece: ast.expr) -> None:
        last = self._run[-1] if self._run else None
        if (
            isinstance(piece, ast.Constant)
            and isinstance(last, ast.Constant)
            and isinstance(piece.value, str)
            and isinstance(last.value, str)
        ):
            last.value += piece.value
            return
        if len(self._run) >= _RUN:
            self._flush()
        self._run.append(piece)
        if self._tries:
            self._flush()

    def _flush(self) -> None:
        """Writes what was printed since the last statement as a statement."""
        run, self._run = self._run, []
        if not run:
            return
        line = run[0].lineno
        statement: ast.stmt
        if len(run) == 1:
            append = _at(ast.Attribute(_name(self._out, line), "append", ast.Load()), line)
            statement = ast.Expr(_at(ast.Call(append, run, []), line))
        else:
            pieces = _at(ast.Tuple(run, ast.Load()), line)
            statement = ast.AugAssign(_name(self._out, line, ast.Store()), ast.Add(), pieces)
        self._statements.append(_at(statement, line))

    def _output(self, node: nodes.Output) -> None:
        value = self._here(node.value)
        function = self._file.autoescape
        if not node.escaped or function is None:
            self._print(_like(value, "_tt_raw", value))
        elif self._direct and isinstance(function, ast.Name) and function.id == DIRECT_ESCAPE:
            self._print(_like(value, "_tt_escape", value))
        else:
            argument = _like(value, "_tt_argument", value)
            escaped = ast.copy_location(ast.Call(function, [argument], []), value)
            self._print(_like(value, "_tt_result", escaped))

    def _here(self, tree: _Tree) -> _Tree:
        """Returns `tree` with its lines as the listing counts them. The file's own tree stays as it is."""
        if not self._shift:
            return tree
        moved = copy.deepcopy(tree)
        node: Any  # not every node has a place
        for node in ast.walk(moved):
            if hasattr(node, "lineno"):
                node.lineno += self._shift
                node.end_lineno += self._shift
        return moved

    # -- statements -------------------------------------------------------------------------------------

    def _emit_all(self, body: nodes.Body) -> None:
        for node in body:
            self._emit(node)

    def _emit(self, node: nodes.Node) -> None:
        match node:
            case nodes.Text():
                if node.value:
                    self._print(_at(ast.Constant(node.value), node.line + self._shift))
            case nodes.Output():
                self._output(node)
            case nodes.Block():
                self._block(node)
            case nodes.Include():
                file = self._load(self._file, node.name, node.line, "include")
                last = file.source.count("\n") + 1
                self._within(file, 1, last, self._came_by(node.line), file.body)
            case nodes.Apply():
                self._apply(node)
            case _:
                # Whatever comes now may leave the straight line, or read what an expression before it has
                # changed.
                self._flush()
                self._statement(node)

    def _block(self, node: nodes.Block) -> None:
        chosen, file = self._blocks[node.name]
        if chosen is node:
            self._emit_all(node.body)
        else:
            self._within(file, chosen.line, chosen.last_line, self._came_by(node.line), chosen.body)

    def _apply(self, node: nodes.Apply) -> None:
        self._flush()
        function = self._here(node.function)
        outer = self._out, self._loops
        self._applies += 1
        self._out, self._loops = f"{_OUT}{self._applies}", 0
        line = function.lineno
        begin = ast.Assign([_name(self._out, line, ast.Store())], _at(ast.List([], ast.Load()), line))
        self._statements.append(_at(begin, line))
        self._emit_all(node.body)
        self._flush()
        content = _call("_tt_finish", _name(self._out, line), line)
        self._out, self._loops = outer
        result = ast.copy_location(ast.Call(function, [content], []), function)
        self._print(_like(function, "_tt_result", result))

    def _statement(self, node: nodes.Node) -> None:
        match node:
            case nodes.Statements():
                self._statements += [self._here(statement) for statement in node.body]
            case nodes.Jump():
                # A block can be put where there is no loop around it, whatever there was where it was
                # written.
                if not self._loops:
                    raise ParseError(f"{node.keyword} outside for, while block", self._file.name, node.line)
                jump = ast.Break() if node.keyword == "break" else ast.Continue()
                self._statements.append(_at(jump, node.line + self._shift))
            case nodes.If():
                orelse = self._part(node.orelse) if node.orelse is not None else []
                for test, body in reversed(node.branches):
                    branch = ast.If(self._here(test), self._part(body), orelse)
                    orelse = [_at(branch, test.lineno + self._shift)]
                self._statements += orelse
            case nodes.For():
                head = self._here(node.head)
                loop = ast.For(head.target, head.iter, self._part(node.body, loops=1), [])
                loop.orelse = self._part(node.orelse) if node.orelse is not None else []
                self._statements.append(ast.copy_location(loop, head))
            case nodes.While():
                test = self._here(node.test)
                repeat = ast.While(test, self._part(node.body, loops=1), [])
                repeat.orelse = self._part(node.orelse) if node.orelse is not None else []
                self._statements.append(_at(repeat, test.lineno))
            case nodes.Try():
                self._statements.append(_at(self._try(node), node.line + self._shift))

    def _try(self, node: nodes.Try) -> ast.Try:
        attempt = ast.Try(self._part(node.body, tries=1), [], [], [])
        for written, body in node.handlers:
            head = self._here(written)
            attempt.handlers.append(
                ast.copy_location(ast.ExceptHandler(head.type, head.name, self._part(body)), head)
            )
        attempt.orelse = self._part(node.orelse) if node.orelse is not None else []
        attempt.finalbody = self._part(node.final) if node.final is not None else []
        return attempt

    def _part(self, body: nodes.Body, loops: int = 0, tries: int = 0) -> list[ast.stmt]:
        """Returns the statements of a body; never none, which Python does not allow."""
        outer, self._statements = self._statements, []
        self._loops += loops
        self._tries += tries
        self._emit_all(body)
        self._flush()
        self._loops -= loops
        self._tries -= tries
        inner, self._statements = self._statements, outer
        return inner or [_at(ast.Pass(), 1)]


def _at(tree: _Tree, line: int) -> _Tree:
    """Gives a node that no template has written a place: the start of `line`."""
    tree.lineno = tree.end_lineno = line  # type: ignore[attr-defined]
    tree.col_offset = tree.end_col_offset = 0  # type: ignore[attr-defined]
    return tree


def _name(name: str, line: int, context: ast.expr_context | None = None) -> ast.Name:
    return _at(ast.Name(name, context or ast.Load()), line)


def _call(function: str, argument: ast.expr, line: int) -> ast.Call:
    return _at(ast.Call(_name(function, line), [argument], []), line)


def _like(place: ast.expr, function: str, argument: ast.expr) -> ast.Call:
    """Returns a call that stands where the expression `place` stands."""
    name = ast.copy_location(ast.Name(function, ast.Load()), place)
    return ast.copy_location(ast.Call(name, [argument], []), place)
