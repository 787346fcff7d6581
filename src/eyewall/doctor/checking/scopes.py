"""What a module consists of: classes, functions, and what each function calls, binds and imports.

One pass over the tree. A function's own code is what runs when it is called: the bodies of functions and lambdas
defined within are theirs. The body of a module is a function, too, the outermost one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Function:
    """A function, method or lambda, or the body of a module (`node` is None)."""

    def __init__(
        self,
        module: Module,
        node: AnyFunction | None,
        name: str,
        owner: Class | None = None,
        outer: Function | None = None,
    ) -> None:
        self.module = module
        self.node = node
        self.name = name
        #: The class that it is a method of.
        self.owner = owner
        self.outer = outer
        self.calls: list[ast.Call] = []
        #: The calls whose result is awaited or yielded at once, by `id`.
        self.awaited: set[int] = set()
        self.awaits: list[ast.expr | ast.AsyncFor | ast.AsyncWith] = []
        self.tries: list[ast.Try | ast.TryStar] = []
        #: Statements that are nothing but an expression, and those that bind a name to one.
        self.expressions: list[ast.Expr] = []
        self.assignments: list[ast.Assign] = []
        self.withs: list[ast.With] = []
        self.deletes: list[ast.Delete] = []
        self.imports: dict[str, str] = {}
        self.stars: list[str] = []
        self.functions: dict[str, Function] = {}
        self.lambdas: dict[int, Function] = {}
        self.classes: dict[str, Class] = {}
        #: Names that are bound here, and the values, of those of which all values are expressions.
        self.bound: set[str] = set()
        self.values: dict[str, list[ast.expr]] = {}
        self.annotations: dict[str, ast.expr] = {}
        self.outside: set[str] = set()
        self.yields = False

    @property
    def is_async(self) -> bool:
        """Whether it is written `async def`."""
        return isinstance(self.node, ast.AsyncFunctionDef)

    @property
    def decorators(self) -> list[ast.expr]:
        """As they are written."""
        return self.node.decorator_list if isinstance(self.node, _FUNCTIONS) else []

    @property
    def parameters(self) -> list[ast.arg]:
        """All but `*args` and `**kwargs`."""
        if self.node is None:
            return []
        arguments = self.node.args
        return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]

    @property
    def first(self) -> str:
        """The name of the first parameter of a method, which is the object itself; empty for other functions."""
        parameters = self.parameters
        if self.owner is None or not parameters or self.is_static:
            return ""
        return parameters[0].arg

    @cached_property
    def is_static(self) -> bool:
        """Whether it is a static method."""
        return any(isinstance(each, ast.Name) and each.id == "staticmethod" for each in self.decorators)

    @cached_property
    def parents(self) -> dict[int, ast.AST]:
        """From each node within, by `id`, to the one around it. Made when first asked for."""
        found: dict[int, ast.AST] = {}
        left: list[ast.AST] = [self.module.tree if self.node is None else self.node]
        while left:
            node = left.pop()
            for child in ast.iter_child_nodes(node):
                found[id(child)] = node
                left.append(child)
        return found

    def around(self, node: ast.AST) -> Iterable[ast.AST]:
        """The nodes around `node`, from the nearest to the outermost within this function."""
        parents = self.parents
        above = parents.get(id(node))
        while above is not None and above is not self.node:
            yield above
            above = parents.get(id(above))

    @property
    def qualname(self) -> str:
        """As people call it: "Report.get"."""
        return f"{self.owner.name}.{self.name}" if self.owner is not None else self.name

    @property
    def path(self) -> str:
        """Its full name, with its module's."""
        if self.node is None:
            return self.module.name
        around = self.owner.path if self.owner is not None else self.outer.path if self.outer else ""
        return f"{around}.{self.name}"


class Class:
    """A class: its bases as they are written, its methods, and what is assigned to attributes of it and its objects."""

    def __init__(self, module: Module, node: ast.ClassDef, outer: Function) -> None:
        self.module = module
        self.node = node
        self.name = node.name
        #: The function, or module, in whose code it is defined.
        self.outer = outer
        self.methods: dict[str, Function] = {}
        #: Attributes of the class, and those that its methods set.
        self.values: dict[str, list[tuple[ast.expr, Function]]] = {}
        self.own: dict[str, list[tuple[ast.expr, Function]]] = {}
        self.annotations: dict[str, tuple[ast.expr, Function]] = {}

    @property
    def path(self) -> str:
        """Its full name."""
        return f"{self.outer.path}.{self.name}"


class Module:
    """A module: its name, and all functions and classes in it."""

    def __init__(self, path: Path, shown: str, text: str, tree: ast.Module) -> None:
        self.path = path
        self.shown = shown
        self.text = text
        self.tree = tree
        self.name, self.is_package = module_name(path)
        self.functions: list[Function] = []
        self.classes: list[Class] = []
        self.body = Function(self, None, "<module>")
        _Scan(self).run()

    @cached_property
    def lines(self) -> list[str]:
        """The text in lines, as Python counts them."""
        return self.text.split("\n")


def module_name(path: Path) -> tuple[str, bool]:
    """Returns the name under which a file is imported, by the packages it is in, and whether it is a package."""
    path = path.absolute()
    parts = [] if path.stem == "__init__" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").exists() and folder != folder.parent:
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts) or path.parent.name, path.stem == "__init__"


class _Scan:
    """The pass over one module."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._left: list[Function] = []

    def run(self) -> None:
        body = self._module.body
        self._module.functions.append(body)
        self._scan(body, self._module.tree.body, None)
        while self._left:
            function = self._left.pop()
            node = function.node
            assert node is not None
            for each in function.parameters:
                function.bound.add(each.arg)
                if each.annotation is not None:
                    function.annotations[each.arg] = each.annotation
            for extra in (node.args.vararg, node.args.kwarg):
                if extra is not None:
                    function.bound.add(extra.arg)
            self._scan(function, [node.body] if isinstance(node, ast.Lambda) else node.body, None)
        for function in self._module.functions:
            for name in function.outside:
                function.bound.discard(name)

    def _scan(self, function: Function, nodes: Sequence[ast.AST], owner: Class | None) -> None:
        """Notes what is in `nodes`, which run in `function`; `owner` is the class in whose body they stand."""
        left: list[ast.AST] = [*reversed(nodes)]
        while left:
            node = left.pop()
            note = _NOTES.get(type(node))
            if note is not None and not note(self, function, node, owner, left):
                continue
            # As `ast.iter_child_nodes`, in half the time; there are millions of nodes.
            for name in node._fields:
                value = getattr(node, name, None)
                if isinstance(value, ast.AST):
                    if type(value) not in _LEAVES:
                        left.append(value)
                elif isinstance(value, list):
                    left += [each for each in value if isinstance(each, ast.AST)]

    # Each returns whether what is within belongs to the same function.

    def _function(self, function: Function, node: ast.AST, owner: Class | None, left: list[ast.AST]) -> bool:
        assert isinstance(node, _FUNCTIONS)
        child = Function(self._module, node, node.name, owner, function)
        self._left.append(child)
        self._module.functions.append(child)
        if owner is not None:
            # Of a property, the first one; of overloads the last.
            if not (node.name in owner.methods and _is_accessor(node)):
                owner.methods[node.name] = child
        else:
            function.functions[node.name] = child
        left += node.decorator_list
        left += [*node.args.defaults, *(each for each in node.args.kw_defaults if each is not None)]
        return False

    def _lambda(self, function: Function, node: ast.AST, owner: Class | None, left: list[ast.AST]) -> bool:
        assert isinstance(node, ast.Lambda)
        child = Function(self._module, node, "<lambda>", None, function)
        function.lambdas[id(node)] = child
        self._left.append(child)
        self._module.functions.append(child)
        left += [*node.args.defaults, *(each for each in node.args.kw_defaults if each is not None)]
        return False

    def _class(self, function: Function, node: ast.AST, owner: Class | None, left: list[ast.AST]) -> bool:
        assert isinstance(node, ast.ClassDef)
        found = Class(self._module, node, function)
        self._module.classes.append(found)
        function.classes[node.name] = found
        left += [*node.decorator_list, *node.bases, *(each.value for each in node.keywords)]
        self._scan(function, node.body, found)
        return False

    def _import(self, function: Function, node: ast.AST, owner: Class | None, left: list[ast.AST]) -> bool:
        assert isinstance(node, ast.Import)
        for alias in node.names:
            if alias.asname is not None:
                function.imports[alias.asname] = alias.name
            else:
                top = alias.name.partition(".")[0]
                function.imports[top] = top
        return False

    def _import_from(
        self, function: Function, node: ast.AST, owner: Class | None, left: list[ast.AST]
    ) -> bool:
        assert isinstance(node, ast.ImportFrom)
        base = self._absolute(node)
        for alias in node.names:
            if alias.name == "*":
                function.stars.append(base)
            else:
                function.imports[alias.asname or alias.name] = f"{base}.{alias.name}" if base else alias.name
        return False

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self._module.name.split(".")
        up = node.level - 1 if self._module.is_package else node.level
        parts = parts[: len(parts) - up] if up else parts
        return ".".join([*parts, node.module] if node.module else parts)

    def _call(self, function: Function, node: ast.AST, owner: Class | None, left: list[ast.AST]) -> bool:
        assert isinstance(node, ast.Call)
        function.calls.append(node)
        return True

    def _wait(self, function: Function, node: ast.AST, owner: Class | None, left: list[ast.AST]) -> bool:
        assert isinstance(node, (ast.Await, ast.Yield, ast.YieldFrom, ast.AsyncFor, ast.AsyncWith))
        function.awaits.append(node)
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            function.yields = True
        if isinstance(node, ast.AsyncWith):
            waited: list[ast.expr | None] = [each.context_expr for each in node.items]
            for item in node.items:
                _bind(function, owner, item.optional_vars, None)
        elif isinstance(node, ast.AsyncFor):
            waited = [node.iter]
        else:
            waited = [node.value]
        function.awaited.update(id(each) for each in waited if each is not None)
        return True

    def _try(self, function: Function, node: ast.AST, owner: Class | None, left: list[ast.AST]) -> bool:
        assert isinstance(node, (ast.Try, ast.TryStar))
        function.tries.append(node)
        return True

    def _expression(
        self, function: Function, node: ast.AST, owner: Class | None, left: list[ast.AST]
    ) -> bool:
        assert isinstance(node, ast.Expr)
        function.expressions.append(node)
        return True

    def _assign(self, function: Function, node: ast.AST, owner: Class | None, left: list[ast.AST]) -> bool:
        assert isinstance(node, ast.Assign)
        function.assignments.append(node)
        for target in node.targets:
            _bind(function, owner, target, node.value)
        return True

    def _annotated(self, function: Function, node: ast.AST, owner: Class | None, left: list[ast.AST]) -> bool:
        assert isinstance(node, ast.AnnAssign)
        _bind(function, owner, node.target, node.value)
        target = node.target
        if isinstance(target, ast.Name):
            if owner is not None:
                owner.annotations.setdefault(target.id, (node.annotation, function))
            else:
                function.annotations.setdefault(target.id, node.annotation)
        elif isinstance(target, ast.Attribute) and _is_self(function, target.value):
            assert function.owner is not None
            function.owner.annotations.setdefault(target.attr, (node.annotation, function))
        return True

    def _named(self, function: Function, node: ast.AST, owner: Class | None, left: list[ast.AST]) -> bool:
        assert isinstance(node, ast.NamedExpr)
        _bind(function, None, node.target, node.value)
        return True

    def _with(self, function: Function, node: ast.AST, owner: Class | None, left: list[ast.AST]) -> bool:
        assert isinstance(node, ast.With)
        function.withs.append(node)
        for item in node.items:
            _bind(function, owner, item.optional_vars, item.context_expr)
        return True

    def _name(self, function: Function, node: ast.AST, owner: Class | None, left: list[ast.AST]) -> bool:
        assert isinstance(node, ast.Name)
        if not isinstance(node.ctx, ast.Load) and owner is None:
            function.bound.add(node.id)
        return False

    def _except(self, function: Function, node: ast.AST, owner: Class | None, left: list[ast.AST]) -> bool:
        assert isinstance(node, ast.ExceptHandler)
        if node.name:
            function.bound.add(node.name)
        return True

    def _outside(self, function: Function, node: ast.AST, owner: Class | None, left: list[ast.AST]) -> bool:
        assert isinstance(node, (ast.Global, ast.Nonlocal))
        function.outside.update(node.names)
        return False

    def _delete(self, function: Function, node: ast.AST, owner: Class | None, left: list[ast.AST]) -> bool:
        assert isinstance(node, ast.Delete)
        function.deletes.append(node)
        return True


_LEAVES = frozenset({ast.Load, ast.Store, ast.Del, ast.Constant})
_NOTES = {
    ast.FunctionDef: _Scan._function,
    ast.AsyncFunctionDef: _Scan._function,
    ast.Lambda: _Scan._lambda,
    ast.ClassDef: _Scan._class,
    ast.Import: _Scan._import,
    ast.ImportFrom: _Scan._import_from,
    ast.Call: _Scan._call,
    ast.Await: _Scan._wait,
    ast.Yield: _Scan._wait,
    ast.YieldFrom: _Scan._wait,
    ast.AsyncFor: _Scan._wait,
    ast.AsyncWith: _Scan._wait,
    ast.Try: _Scan._try,
    ast.TryStar: _Scan._try,
    ast.Expr: _Scan._expression,
    ast.Assign: _Scan._assign,
    ast.AnnAssign: _Scan._annotated,
    ast.NamedExpr: _Scan._named,
    ast.With: _Scan._with,
    ast.Name: _Scan._name,
    ast.ExceptHandler: _Scan._except,
    ast.Global: _Scan._outside,
    ast.Nonlocal: _Scan._outside,
    ast.Delete: _Scan._delete,
}


def _bind(function: Function, owner: Class | None, target: ast.AST | None, value: ast.expr | None) -> None:
    if isinstance(target, ast.Name) and value is not None:
        if owner is not None:
            owner.values.setdefault(target.id, []).append((value, function))
        else:
            function.values.setdefault(target.id, []).append(value)
    elif isinstance(target, ast.Attribute) and value is not None and _is_self(function, target.value):
        assert function.owner is not None
        function.owner.own.setdefault(target.attr, []).append((value, function))


def _is_self(function: Function, node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and bool(function.first) and node.id == function.first


def _is_accessor(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(isinstance(each, ast.Attribute) for each in node.decorator_list)
