"""Makes the tree of a template file out of its tokens.

The blocks that are open stand on a stack, so that a template's nesting is bounded by `MAX_DEPTH` and not by
Python's own stack. What may follow what is in the tables at the head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from eyewall.web.template import nodes
from eyewall.web.template.errors import ParseError
from eyewall.web.template.fragments import Span, condition, expression, handler, imports, loop, statements
from eyewall.web.template.lexer import Kind, Token, tokenize
from eyewall.web.template.whitespace import MODES, filter_whitespace

#: Blocks within blocks, in one file (ParseError beyond it). Python itself allows 100 levels of indentation.
MAX_DEPTH = 100

#: Where a part may stand: in which blocks, and there after which parts.
_PARTS: dict[str, dict[str, frozenset[str]]] = {
    "elif": {"if": frozenset({"if", "elif"})},
    "else": {
        "if": frozenset({"if", "elif"}),
        "for": frozenset({"for"}),
        "while": frozenset({"while"}),
        "try": frozenset({"except"}),
    },
    "except": {"try": frozenset({"try", "except"})},
    "finally": {"try": frozenset({"try", "except", "else"})},
}


@dataclass(slots=True)
class _Open:
    """A block whose `{% end %}` has not come: its keyword, the part that is being filled, and its body."""

    keyword: str
    part: str
    node: nodes.Node
    body: nodes.Body
    line: int


class Parser:
    """Parses one template; `parse` is called once."""

    def __init__(self, source: str, name: str, autoescape: str | None, whitespace: str) -> None:
        self._source = source
        self._name = name
        self._whitespace = whitespace
        self._file = nodes.File(name, source, [], None)
        self._autoescape = Span(name, autoescape, 1, 0) if autoescape else None
        self._body = self._file.body
        self._open: list[_Open] = []
        self._directives: dict[str, Callable[[Span, Span], None]] = {
            "apply": self._apply,
            "autoescape": self._set_autoescape,
            "block": self._block,
            "break": self._jump,
            "comment": self._comment,
            "continue": self._jump,
            "end": self._end,
            "extends": self._extends,
            "for": self._for,
            "from": self._import,
            "if": self._if,
            "import": self._import,
            "include": self._include,
            "module": self._module,
            "raw": self._raw,
            "set": self._set,
            "try": self._try,
            "while": self._while,
            "whitespace": self._set_whitespace,
        }

    def parse(self) -> nodes.File:
        """Returns the tree. Raises ParseError."""
        for token in tokenize(self._source, self._name):
            if token.kind is Kind.TEXT:
                self._text(token)
                continue
            span = Span(self._name, token.text, token.line, token.column).strip()
            if token.kind is Kind.EXPRESSION:
                if not span.text:
                    raise span.error("Empty expression")
                self._body.append(nodes.Output(expression(span), escaped=True))
            else:
                self._directive(span)
        if self._open:
            unclosed = self._open[-1]
            raise ParseError(f"Missing {{% end %}} block for {unclosed.keyword}", self._name, unclosed.line)
        if self._autoescape is not None:
            self._file.autoescape = expression(self._autoescape)
        return self._file

    def _text(self, token: Token) -> None:
        value = token.text
        # What stands beside <pre> is likely to be inside it, where white space shows.
        if self._whitespace != "all" and "<pre>" not in value:
            value = filter_whitespace(self._whitespace, value)
        self._body.append(nodes.Text(value, token.line))

    def _directive(self, span: Span) -> None:
        if not span.text:
            raise span.error("Empty block tag ({% %})")
        keyword = span.text.split(None, 1)[0]
        argument = span.after(len(keyword)).strip()
        if keyword in _PARTS:
            self._part(keyword, span, argument)
            return
        directive = self._directives.get(keyword)
        if directive is None:
            raise span.error(f"unknown operator: {keyword!r}")
        directive(span, argument)

    # -- blocks -----------------------------------------------------------------------------------------

    def _begin(self, keyword: str, span: Span, node: nodes.Node, body: nodes.Body) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise span.error(f"more than {MAX_DEPTH} blocks within each other")
        self._body.append(node)
        self._open.append(_Open(keyword, keyword, node, body, span.line))
        self._body = body

    def _end(self, span: Span, argument: Span) -> None:
        if not self._open:
            raise span.error("Extra {% end %} block")
        closed = self._open.pop()
        node = closed.node
        if isinstance(node, nodes.Try) and not node.handlers and node.final is None:
            raise ParseError("try block without except or finally", self._name, closed.line)
        if isinstance(node, nodes.Block):
            node.last_line = span.line + span.text.count("\n")
        self._body = self._open[-1].body if self._open else self._file.body

    def _part(self, keyword: str, span: Span, argument: Span) -> None:
        allowed = _PARTS[keyword]
        if not self._open:
            raise span.error(f"{keyword} outside {', '.join(allowed)} block")
        current = self._open[-1]
        if current.keyword not in allowed:
            raise span.error(f"{keyword} block cannot be attached to {current.keyword} block")
        if current.part not in allowed[current.keyword]:
            raise span.error(f"{keyword} cannot follow {current.part} in {current.keyword} block")
        if keyword in ("else", "finally") and argument.text:
            raise span.error(f"{keyword} takes no argument: {argument.text!r}")
        body: nodes.Body = []
        node = current.node
        if keyword == "elif":
            assert isinstance(node, nodes.If)
            # `elif` without its first two letters is the head of an `if`.
            node.branches.append((condition(span.after(2)), body))
        elif keyword == "except":
            assert isinstance(node, nodes.Try)
            node.handlers.append((handler(span), body))
        elif keyword == "finally":
            assert isinstance(node, nodes.Try)
            node.final = body
        else:
            assert isinstance(node, (nodes.If, nodes.For, nodes.While, nodes.Try))
            node.orelse = body
        current.part = keyword
        current.body = self._body = body

    def _if(self, span: Span, argument: Span) -> None:
        body: nodes.Body = []
        self._begin("if", span, nodes.If([(condition(span), body)]), body)

    def _for(self, span: Span, argument: Span) -> None:
        body: nodes.Body = []
        self._begin("for", span, nodes.For(loop(span), body), body)

    def _while(self, span: Span, argument: Span) -> None:
        body: nodes.Body = []
        self._begin("while", span, nodes.While(condition(span), body), body)

    def _try(self, span: Span, argument: Span) -> None:
        if argument.text:
            raise span.error(f"try takes no argument: {argument.text!r}")
        body: nodes.Body = []
        self._begin("try", span, nodes.Try(span.line, body), body)

    def _apply(self, span: Span, argument: Span) -> None:
        if not argument.text:
            raise span.error("apply missing method name")
        body: nodes.Body = []
        self._begin("apply", span, nodes.Apply(expression(argument), body), body)

    def _block(self, span: Span, argument: Span) -> None:
        if not argument.text:
            raise span.error("block missing name")
        body: nodes.Body = []
        self._begin("block", span, nodes.Block(argument.text, body, span.line), body)

    def _jump(self, span: Span, argument: Span) -> None:
        keyword = span.text.split(None, 1)[0]
        for block in reversed(self._open):
            # The output of an apply block is complete when its function gets it: there is no jumping out of
            # it.
            if block.keyword == "apply":
                break
            # After its `else`, a loop is over.
            if block.keyword in ("for", "while") and block.part != "else":
                if argument.text:
                    raise span.error(f"unexpected {argument.text!r}")
                self._body.append(nodes.Jump(keyword, span.line))
                return
        raise span.error(f"{keyword} outside for, while block")

    # -- everything else --------------------------------------------------------------------------------

    def _comment(self, span: Span, argument: Span) -> None:
        """Prints nothing."""

    def _import(self, span: Span, argument: Span) -> None:
        if not argument.text:
            raise span.error(f"{span.text} missing statement")
        self._body.append(nodes.Statements(imports(span)))

    def _set(self, span: Span, argument: Span) -> None:
        if not argument.text:
            raise span.error("set missing statement")
        self._body.append(nodes.Statements(statements(argument)))

    def _raw(self, span: Span, argument: Span) -> None:
        if not argument.text:
            raise span.error("raw missing expression")
        self._body.append(nodes.Output(expression(argument), escaped=False))

    def _module(self, span: Span, argument: Span) -> None:
        if not argument.text:
            raise span.error("module missing expression")
        self._body.append(nodes.Output(expression(argument, "_tt_modules."), escaped=False))

    def _include(self, span: Span, argument: Span) -> None:
        self._body.append(nodes.Include(self._path("include", span, argument), span.line))

    def _extends(self, span: Span, argument: Span) -> None:
        path = self._path("extends", span, argument)
        if self._open:
            raise span.error(f"extends inside {self._open[-1].keyword} block")
        if self._file.extends is not None:
            raise span.error("second extends block")
        self._file.extends = path
        self._file.extends_line = span.line

    def _path(self, keyword: str, span: Span, argument: Span) -> str:
        path = argument.text.strip("\"'")
        if not path:
            raise span.error(f"{keyword} missing file path")
        return path

    def _set_autoescape(self, span: Span, argument: Span) -> None:
        if not argument.text:
            # Leaving escaping off by leaving a word out is not a mistake to make silently.
            raise span.error("autoescape missing function name, or None")
        self._autoescape = None if argument.text == "None" else argument

    def _set_whitespace(self, span: Span, argument: Span) -> None:
        if argument.text not in MODES:
            raise span.error(f"invalid whitespace mode {argument.text}")
        self._whitespace = argument.text
