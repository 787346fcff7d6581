"""Which functions run in a loop's thread, and so must not block: coroutines, methods of handlers and protocols, and
callbacks that are given to a loop."""

from __future__ import annotations

import ast

from eyewall.doctor.checking.program import Program, owner_of
from eyewall.doctor.checking.scopes import Class, Function
from eyewall.doctor.checking.vocabulary import HANDLERS, PROTOCOLS

#: Methods of handlers that Tornado, or Eyewall, calls.
VERBS = frozenset({"get", "post", "put", "delete", "head", "options", "patch"})
_HANDLER_METHODS = VERBS | {
    "initialize",
    "prepare",
    "data_received",
    "on_finish",
    "on_connection_close",
    "write_error",
    "get_current_user",
    "get_user_locale",
    "get_browser_locale",
    "set_default_headers",
    "log_exception",
    "check_xsrf_cookie",
    "open",
    "on_message",
    "on_close",
    "on_ping",
    "on_pong",
    "check_origin",
    "select_subprotocol",
}
_PROTOCOL_METHODS = frozenset(
    {
        "connection_made",
        "connection_lost",
        "data_received",
        "datagram_received",
        "error_received",
        "eof_received",
        "buffer_updated",
        "get_buffer",
        "pause_writing",
        "resume_writing",
        "pipe_data_received",
        "process_exited",
    }
)
#: Functions and methods that take a callback for a loop, and which of their arguments it is.
_SCHEDULING = {
    "call_soon": 0,
    "call_soon_threadsafe": 0,
    "call_later": 1,
    "call_at": 1,
    "add_timeout": 1,
    "add_callback": 0,
    "add_callback_from_signal": 0,
    "spawn_callback": 0,
    "PeriodicCallback": 0,
    "add_reader": 1,
    "add_writer": 1,
    "add_handler": 1,
    "add_signal_handler": 1,
}
COROUTINES = frozenset({"tornado.gen.coroutine", "asyncio.coroutine", "types.coroutine"})


class LoopCode:
    """The functions of a program that run in a loop. `reasons`: by function, what makes it one, for people."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.reasons: dict[Function, str] = {}
        for function in program.functions:
            reason = self._reason(function)
            if reason:
                self.reasons[function] = reason
        for function in program.functions:
            for call in function.calls:
                self._scheduled(call, function)

    def handler_of(self, function: Function) -> Class | None:
        """Returns the handler class that `function` is a method of, or is defined in one of."""
        owner = owner_of(function)
        return owner if owner is not None and self.is_handler(owner) else None

    def is_handler(self, cls: Class) -> bool:
        """Whether it is a request handler: a known one is among its bases, or one that is called so."""
        names = self._program.ancestry(cls)[1]
        return not names.isdisjoint(HANDLERS) or any(
            name.rpartition(".")[2] in ("RequestHandler", "WebSocketHandler") for name in names
        )

    def is_coroutine(self, function: Function) -> bool:
        """Whether a call of it returns something to be awaited and runs it in the loop."""
        return function.is_async or self.is_generator_coroutine(function)

    def is_generator_coroutine(self, function: Function) -> bool:
        """Whether it has Tornado's decorator, `gen.coroutine`."""
        return any(
            self._program.named(each, function.outer or function) in COROUTINES
            for each in function.decorators
        )

    def _reason(self, function: Function) -> str:
        if function.is_async:
            return "a coroutine"
        if self.is_generator_coroutine(function):
            return "a coroutine"
        owner = function.owner
        if owner is None or function.is_static:
            return ""
        if self._leaves_the_loop(function):
            return ""
        if function.name in _HANDLER_METHODS and self.is_handler(owner):
            return f"the method {function.name}() of a handler, which runs in the loop"
        if function.name in _PROTOCOL_METHODS and self._program.derives(owner, PROTOCOLS):
            return f"the method {function.name}() of a protocol, which runs in the loop"
        return ""

    def _leaves_the_loop(self, function: Function) -> bool:
        """Whether a decorator has it run in a thread."""
        for each in function.decorators:
            node = each.func if isinstance(each, ast.Call) else each
            if self._program.named(node, function.outer or function) == "tornado.concurrent.run_on_executor":
                return True
        return False

    def _scheduled(self, call: ast.Call, function: Function) -> None:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        index = _SCHEDULING.get(name)
        if index is None or len(call.args) <= index:
            return
        given = self.callback(call.args[index], function)
        if given is not None:
            self.reasons.setdefault(given, f"a callback given to {name}(), which runs in the loop")

    def callback(self, node: ast.expr, function: Function) -> Function | None:
        """Returns the function that is given as a callback: by its name, as a method, a lambda or a partial."""
        if isinstance(node, ast.Lambda):
            scope: Function | None = function
            while scope is not None:
                if id(node) in scope.lambdas:
                    return scope.lambdas[id(node)]
                scope = scope.outer
            return None
        if isinstance(node, ast.Call):
            target = self._program.callee(node, function)
            if target in ("functools.partial", "contextvars.copy_context.run") and node.args:
                return self.callback(node.args[0], function)
            return None
        found = self._program.named(node, function)
        if found is None and isinstance(node, ast.Attribute):
            kind = self._program.type_of(node.value, function)
            found = self._program.method(kind, node.attr) if isinstance(kind, Class) else None
        return found if isinstance(found, Function) else None
