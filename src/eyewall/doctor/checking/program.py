"""All modules that are checked, and what the names in them mean.

A name is followed through imports, aliases and what packages re-export, to a function or class that is among the
checked files, or else to the full name of something that is not ("time.sleep"). Types are guessed from what is
assigned, annotated and returned, and only where that is certain enough to accuse somebody by: a variable with values
of two types has none.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable

from eyewall.doctor.checking.scopes import Class, Function, Module
from eyewall.doctor.checking.vocabulary import RETURNS, TYPES, canonical

#: Where a name may lead, and what the type of something is: within the files, or outside of them.
Target = Module | Class | Function | str
Type = Class | str

#: Re-exports, aliases and assignments that are followed, one to another.
_DEPTH = 12
#: A path below a path is one.
_PATH = "pathlib.Path"
_BUILTINS = frozenset(dir(builtins))


class Program:
    """The modules that are checked together."""

    def __init__(self, modules: Iterable[Module]) -> None:
        self.modules = list(modules)
        self.functions = [function for module in self.modules for function in module.functions]
        self.classes = [found for module in self.modules for found in module.classes]
        self._by_name: dict[str, list[Module]] = {}
        for module in self.modules:
            self._by_name.setdefault(module.name, []).append(module)
        self._callees: dict[int, Target | None] = {}
        self._ancestry: dict[int, tuple[list[Class], set[str]]] = {}
        self._types: dict[tuple[int, str], Type | None] = {}

    # -- names --------------------------------------------------------------------------------------------

    def named(self, node: ast.expr, function: Function, depth: int = 0) -> Target | None:
        """Returns where a name or a chain of attributes leads, in the code of `function`."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or depth > _DEPTH:
            return None
        found = self._lookup(node.id, function, depth)
        for part in reversed(parts):
            if found is None:
                return None
            found = self._member(found, part, function.module, depth)
        return found

    def _lookup(self, name: str, function: Function, depth: int) -> Target | None:
        scope: Function | None = function
        while scope is not None:
            if name in scope.functions:
                return scope.functions[name]
            if name in scope.classes:
                return scope.classes[name]
            if name in scope.imports:
                return self._find(scope.imports[name], scope.module, depth)
            if name in scope.bound:
                return self._alias(name, scope, depth)
            scope = scope.outer
        for star in function.module.body.stars:
            module = self._module(star, function.module)
            found = self._member(module, name, module, depth + 1) if module is not None else None
            if found is not None:
                return found
            if canonical(f"{star}.{name}") in TYPES or canonical(f"{star}.{name}") in RETURNS:
                return canonical(f"{star}.{name}")
        return f"builtins.{name}" if name in _BUILTINS else None

    def _alias(self, name: str, scope: Function, depth: int) -> Target | None:
        """Follows `nap = time.sleep`; a variable with several values, or another kind of value, means nothing here."""
        values = scope.values.get(name, [])
        if len(values) == 1 and isinstance(values[0], (ast.Name, ast.Attribute)):
            return self.named(values[0], scope, depth + 1)
        return None

    def _find(self, dotted: str, near: Module, depth: int = 0) -> Target | None:
        """Returns what a full name leads to; itself, where that is not among the files."""
        parts = dotted.split(".")
        for cut in range(len(parts), 0, -1):
            module = self._module(".".join(parts[:cut]), near)
            if module is not None:
                found: Target | None = module
                for part in parts[cut:]:
                    found = self._member(found, part, near, depth + 1) if found is not None else None
                # A module beside the program may have the name of a package that is installed.
                return canonical(dotted) if found is None else found
        return canonical(dotted)

    def _member(self, found: Target, part: str, near: Module, depth: int) -> Target | None:
        if depth > _DEPTH:
            return None
        if isinstance(found, str):
            return canonical(f"{found}.{part}")
        if isinstance(found, Class):
            return self.method(found, part)
        if isinstance(found, Function):
            return None
        body = found.body
        if part in body.functions or part in body.classes or part in body.imports or part in body.bound:
            return self._lookup(part, body, depth + 1)
        inner = self._module(f"{found.name}.{part}", near)
        return inner if inner is not None else None

    def _module(self, name: str, near: Module) -> Module | None:
        found = self._by_name.get(name)
        if not found:
            return None
        # Programs that stand side by side have modules of the same name.
        beside = [each for each in found if each.path.parent == near.path.parent]
        if len(beside) == 1:
            return beside[0]
        return found[0] if len(found) == 1 else None

    # -- classes ------------------------------------------------------------------------------------------

    def ancestry(self, cls: Class) -> tuple[list[Class], set[str]]:
        """Returns a class with its bases among the files, nearest first, and the full names of those elsewhere.

        A base that nobody can name is "?".
        """
        known = self._ancestry.get(id(cls))
        if known is None:
            known = self._ancestry[id(cls)] = ([cls], set())
            for base in cls.node.bases:
                target = self.named(base.value if isinstance(base, ast.Subscript) else base, cls.outer)
                if isinstance(target, Class) and target is not cls:
                    classes, names = self.ancestry(target)
                    known[0].extend(each for each in classes if each not in known[0])
                    known[1].update(names)
                else:
                    known[1].add(target if isinstance(target, str) else "?")
            known[1].update(name for each in known[0] if (name := canonical(each.path)) in TYPES)
        return known

    def derives(self, cls: Class, names: frozenset[str]) -> bool:
        """Whether a class derives from one of `names`."""
        return not names.isdisjoint(self.ancestry(cls)[1])

    def method(self, cls: Class, name: str) -> Target | None:
        """Returns a method of a class: a function, or where a known class elsewhere has it, its full name."""
        classes, names = self.ancestry(cls)
        for each in classes:
            if name in each.methods:
                return each.methods[name]
        return next((f"{base}.{name}" for base in sorted(names & TYPES)), None)

    # -- calls and types ------------------------------------------------------------------------------------

    def callee(self, call: ast.Call, function: Function) -> Target | None:
        """Returns what is called: a function or class among the files, or a full name; None where nobody knows."""
        key = id(call)
        if key not in self._callees:
            self._callees[key] = None
            self._callees[key] = self._called(call.func, function)
        return self._callees[key]

    def _called(self, node: ast.expr, function: Function) -> Target | None:
        if isinstance(node, ast.Name):
            return self.named(node, function)
        if not isinstance(node, ast.Attribute):
            return None
        value = node.value
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "super":
            owner = owner_of(function)
            if owner is None:
                return None
            above = self.ancestry(owner)[0][1:]
            return next((each.methods[node.attr] for each in above if node.attr in each.methods), None)
        kind = self.type_of(value, function)
        if isinstance(kind, Class):
            return self.method(kind, node.attr)
        if kind is not None:
            return f"{kind}.{node.attr}"
        return self.named(node, function)

    def type_of(self, node: ast.expr, function: Function, depth: int = 0) -> Type | None:
        """Returns the class of which a value is, None where nobody knows."""
        if depth > _DEPTH:
            return None
        if isinstance(node, ast.Name):
            return self._type_of_name(node.id, function, depth)
        if isinstance(node, ast.Attribute):
            kind = self.type_of(node.value, function, depth + 1)
            if isinstance(kind, Class):
                return self._type_of_attribute(kind, node.attr, depth + 1)
            if kind == _PATH:
                return _PATH if node.attr == "parent" else None
            target = self.named(node.value, function, depth + 1)
            if isinstance(target, Module):
                return self._type_of_name(node.attr, target.body, depth + 1)
            return (
                self._type_of_attribute(target, node.attr, depth + 1) if isinstance(target, Class) else None
            )
        if isinstance(node, ast.Call):
            return self._type_of_call(node, function, depth + 1)
        if isinstance(node, ast.NamedExpr):
            return self.type_of(node.value, function, depth + 1)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            sides = [self.type_of(each, function, depth + 1) for each in (node.left, node.right)]
            return _PATH if _PATH in sides else None
        return None

    def _type_of_name(self, name: str, function: Function, depth: int) -> Type | None:
        scope: Function | None = function
        while scope is not None and name not in scope.bound:
            if name in scope.imports:
                imported = scope.imports[name]
                module = self._module(imported.rpartition(".")[0], scope.module)
                own = imported.rpartition(".")[2]
                return self._type_of_name(own, module.body, depth + 1) if module and depth <= _DEPTH else None
            scope = scope.outer
        if scope is None:
            return None
        if name == scope.first:
            return scope.owner
        key = (id(scope), name)
        if key not in self._types:
            self._types[key] = None
            annotation = scope.annotations.get(name)
            if annotation is not None:
                self._types[key] = self._annotated(annotation, scope)
            else:
                values = scope.values.get(name, [])
                self._types[key] = self._common(((each, scope) for each in values), depth)
        return self._types[key]

    def _type_of_attribute(self, cls: Class, name: str, depth: int) -> Type | None:
        for each in self.ancestry(cls)[0]:
            if name in each.annotations:
                return self._annotated(*each.annotations[name])
            values = each.own.get(name, []) + each.values.get(name, [])
            if values:
                return self._common(values, depth)
        return None

    def _common(self, values: Iterable[tuple[ast.expr, Function]], depth: int) -> Type | None:
        found: set[Type | None] = {
            self.type_of(value, function, depth + 1)
            for value, function in values
            if not (isinstance(value, ast.Constant) and value.value is None)
        }
        return found.pop() if len(found) == 1 else None

    def _type_of_call(self, call: ast.Call, function: Function, depth: int) -> Type | None:
        target = self.callee(call, function)
        if isinstance(target, Class):
            return target
        if isinstance(target, str):
            if target in RETURNS:
                return RETURNS[target]
            return target if target in TYPES else None
        if isinstance(target, Function) and isinstance(target.node, ast.FunctionDef) and target.node.returns:
            return self._annotated(target.node.returns, target)
        if target is None and isinstance(call.func, ast.Attribute) and call.func.attr == "submit":
            return "concurrent.futures.Future"
        return None

    def _annotated(self, node: ast.expr, function: Function) -> Type | None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                node = ast.parse(node.value, mode="eval").body
            except SyntaxError:
                return None
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            sides = [
                each
                for each in (node.left, node.right)
                if not (isinstance(each, ast.Constant) and not each.value)
            ]
            return self._annotated(sides[0], function) if len(sides) == 1 else None
        if isinstance(node, ast.Subscript):
            outer = self.named(node.value, function)
            if outer in ("typing.Optional", "typing.Final", "typing.ClassVar"):
                return self._annotated(node.slice, function)
            return outer if isinstance(outer, Class) or outer in TYPES else None
        target = self.named(node, function)
        if isinstance(target, Class):
            return target
        return target if isinstance(target, str) and target in TYPES else None


def owner_of(function: Function) -> Class | None:
    """Returns the class whose method `function` is, or is defined in."""
    scope: Function | None = function
    while scope is not None:
        if scope.owner is not None:
            return scope.owner
        scope = scope.outer
    return None
