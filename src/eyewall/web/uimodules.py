"""UI modules: parts of a page that bring their own JavaScript and CSS along.

A template uses one as `{% module Entry(entry) %}`, where `Entry` is a `UIModule` that the application was
given in its setting `ui_modules`. One instance serves a whole page; what it needs in the page's head and at
the end of its body is put there once, however often it was used. UI methods, from the setting `ui_methods`,
are plain functions that templates can call; they get the handler as their first argument.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MethodType, ModuleType
from typing import Any, TypeAlias

from eyewall.base.escape import linkify
from eyewall.base.objects import ObjectDict

UIMethod: TypeAlias = Callable[..., Any]
#: What the settings `ui_modules` and `ui_methods` may be: a module, names, or a list of both.
UISource: TypeAlias = ModuleType | Mapping[str, Any] | Sequence[ModuleType | Mapping[str, Any]]


class UIModule:
    """A part of a page. Subclasses define `render`, and override what else they need.

    Attributes: `handler`, which renders the page, and from it `request`, `ui` and `locale`.
    """

    def __init__(self, handler: Any) -> None:
        # Any: a module is written for the application's handlers, and uses what those have.
        self.handler = handler
        self.request = handler.request
        self.ui = handler.ui
        self.locale = handler.locale

    @property
    def current_user(self) -> Any:
        """The handler's current user."""
        return self.handler.current_user

    def render(self, *args: Any, **kwargs: Any) -> str | bytes:
        """Returns what stands in the page where the module is used, as HTML: it is not escaped."""
        raise NotImplementedError

    def embedded_javascript(self) -> str | bytes | None:
        """Returns JavaScript for the end of the page's body."""
        return None

    def javascript_files(self) -> str | Sequence[str] | None:
        """Returns the address of a script, or several; relative ones are static files."""
        return None

    def embedded_css(self) -> str | bytes | None:
        """Returns CSS for the page's head."""
        return None

    def css_files(self) -> str | Sequence[str] | None:
        """Returns the address of a style sheet, or several; relative ones are static files."""
        return None

    def html_head(self) -> str | bytes | None:
        """Returns HTML for the end of the page's head."""
        return None

    def html_body(self) -> str | bytes | None:
        """Returns HTML for the end of the page's body, after scripts."""
        return None

    def render_string(self, path: str, **kwargs: Any) -> bytes:
        """Renders the template `path` as the handler does, with `kwargs` as variables."""
        rendered: bytes = self.handler.render_string(path, **kwargs)
        return rendered


class TemplateModule(UIModule):
    """A template as a module, in a page of `handler`: `{% module Template("entry.html", entry=entry) %}`.

    Unlike an included one, it sees none of the page's variables, only its arguments. It may call
    `set_resources` with the methods of `UIModule` as keywords; each template's resources count once, so they
    can't depend on its arguments.
    """

    def __init__(self, handler: Any) -> None:
        super().__init__(handler)
        #: From a template to what it has set.
        self._resources: dict[str, dict[str, Any]] = {}

    def render(self, path: str, **kwargs: Any) -> bytes:
        """Renders the template `path`. Raises ValueError for one that sets other resources than before."""

        def set_resources(**resources: Any) -> str:
            if self._resources.setdefault(path, resources) != resources:
                message = "set_resources called with different resources for the same template"
                raise ValueError(f"{message}: {path}")
            return ""

        return self.render_string(path, set_resources=set_resources, **kwargs)

    def _set(self, name: str) -> list[Any]:
        return [resources[name] for resources in self._resources.values() if name in resources]

    def _joined(self, name: str) -> str:
        return "\n".join([_text(value) for value in self._set(name)])

    def _files(self, name: str) -> list[str]:
        return [file for value in self._set(name) for file in as_files(value)]

    def embedded_javascript(self) -> str:
        """The scripts that the templates have set."""
        return self._joined("embedded_javascript")

    def javascript_files(self) -> list[str]:
        """The scripts' addresses that the templates have set."""
        return self._files("javascript_files")

    def embedded_css(self) -> str:
        """The CSS that the templates have set."""
        return self._joined("embedded_css")

    def css_files(self) -> list[str]:
        """The style sheets' addresses that the templates have set."""
        return self._files("css_files")

    def html_head(self) -> str:
        """The HTML for the head that the templates have set."""
        return "".join([_text(value) for value in self._set("html_head")])

    def html_body(self) -> str:
        """The HTML for the body that the templates have set."""
        return "".join([_text(value) for value in self._set("html_body")])


class LinkifyModule(UIModule):
    """`{% module linkify(text) %}`: plain text with its addresses as links."""

    def render(self, text: str | bytes, **kwargs: Any) -> str:
        """Returns `linkify(text, **kwargs)`."""
        return linkify(text, **kwargs)


class XsrfFormModule(UIModule):
    """`{% module xsrf_form_html() %}`: the hidden field that protects a form."""

    def render(self) -> str | bytes:
        """Returns the handler's `xsrf_form_html()`."""
        field: str | bytes = self.handler.xsrf_form_html()
        return field


#: The modules that every application has.
BUILTIN_MODULES: dict[str, type[UIModule]] = {
    "linkify": LinkifyModule,
    "xsrf_form_html": XsrfFormModule,
    "Template": TemplateModule,
}


def _text(value: str | bytes) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else value


def as_files(value: str | bytes | Sequence[str | bytes] | None) -> list[str]:
    """Returns what `javascript_files` or `css_files` has returned as a list."""
    if value is None:
        return []
    return [_text(value)] if isinstance(value, (str, bytes)) else [_text(file) for file in value]


def load_ui(
    modules: UISource | None, methods: UISource | None
) -> tuple[dict[str, type[UIModule]], dict[str, UIMethod]]:
    """Returns an application's UI modules and methods by name: its settings `ui_modules` and `ui_methods`.

    Of the names in a setting, those count that are modules or methods: classes derived from `UIModule`;
    callables whose name begins with neither `_` nor a capital letter. The built-in modules are there unless
    replaced.
    """
    found_modules = dict(BUILTIN_MODULES)
    for name, value in _names(modules):
        if isinstance(value, type) and issubclass(value, UIModule):
            found_modules[name] = value
    found_methods: dict[str, UIMethod] = {}
    for name, value in _names(methods):
        if callable(value) and not name.startswith("_") and not name[:1].isupper():
            found_methods[name] = value
    return found_modules, found_methods


def _names(source: UISource | None) -> list[tuple[str, Any]]:
    if source is None:
        return []
    if isinstance(source, ModuleType):
        return [(name, getattr(source, name)) for name in dir(source)]
    if isinstance(source, Mapping):
        return list(source.items())
    return [pair for part in source for pair in _names(part)]


class ModuleNamespace:
    """The UI modules as templates call them, by attribute or by key; `{% module %}` does it."""

    __slots__ = ("_active", "_classes", "_handler")

    def __init__(
        self, handler: Any, classes: Mapping[str, type[UIModule]], active: dict[str, UIModule]
    ) -> None:
        self._handler = handler
        self._classes = classes
        self._active = active

    def __getitem__(self, name: str) -> Callable[..., str | bytes]:
        """Returns `render` of the page's one instance of the module. Raises KeyError for an unknown name."""
        # An instance is made when it renders, not when it is named.
        kind = self._classes[name]

        def render(*args: Any, **kwargs: Any) -> str | bytes:
            module = self._active.get(name)
            if module is None:
                module = self._active[name] = kind(self._handler)
            return module.render(*args, **kwargs)

        return render

    def __getattr__(self, name: str) -> Callable[..., str | bytes]:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no UI module is named {name!r}") from None


def ui_namespace(
    handler: Any,
    modules: Mapping[str, type[UIModule]],
    methods: Mapping[str, UIMethod],
    active: dict[str, UIModule],
) -> ObjectDict:
    """Returns what `handler.ui` is: the UI methods, bound to it, and the modules as `modules`.

    `active` gets the instances of modules that were used.
    """
    namespace = ObjectDict({name: MethodType(method, handler) for name, method in methods.items()})
    namespace["modules"] = namespace["_tt_modules"] = ModuleNamespace(handler, modules, active)
    return namespace
