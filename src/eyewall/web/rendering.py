"""How a handler makes a page out of a template.

Everything here waits until a handler renders: the template engine, which brings Python's parser along, is
imported by the first template there is, and a handler that renders nothing pays nothing.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Protocol
from weakref import WeakKeyDictionary

from eyewall.base.escape import utf8, xhtml_escape
from eyewall.base.objects import ObjectDict
from eyewall.web.interfaces import ApplicationView
from eyewall.web.settings import SettingsMixin
from eyewall.web.uimodules import UIMethod, UIModule, as_files, ui_namespace

if TYPE_CHECKING:
    import asyncio

    from eyewall.http.request import HTTPServerRequest
    from eyewall.web.locale import Locale
    from eyewall.web.template import BaseLoader

#: Loaders by template path and by what has made them, which handlers may override.
_Loaders = dict[tuple[str, Callable[..., Any]], "BaseLoader"]


class UIApplicationView(ApplicationView, Protocol):
    """What rendering needs of the application."""

    @property
    def ui_modules(self) -> dict[str, type[UIModule]]: ...
    @property
    def ui_methods(self) -> dict[str, UIMethod]: ...


class _Host(Protocol):
    """What the mixin needs of the handler it is part of; its own parts too, which may be overridden."""

    application: UIApplicationView
    _finished: bool
    _active_modules: dict[str, UIModule] | None
    _templates_checked: bool
    _template_loaders: ClassVar[WeakKeyDictionary[Any, _Loaders]]
    _template_loader_lock: ClassVar[threading.Lock]

    @property
    def settings(self) -> dict[str, Any]: ...
    @property
    def request(self) -> HTTPServerRequest: ...
    @property
    def locale(self) -> Locale: ...
    @property
    def current_user(self) -> Any: ...
    @property
    def ui(self) -> ObjectDict: ...
    def finish(self, chunk: bytes) -> asyncio.Future[None]: ...
    def static_url(self, path: str) -> str: ...
    def reverse_url(self, name: str, *args: Any) -> str: ...
    def xsrf_form_html(self) -> str: ...
    def create_template_loader(self, template_path: str) -> BaseLoader: ...
    def get_template_path(self) -> str | None: ...
    def get_template_namespace(self) -> dict[str, Any]: ...
    def render_string(self, template_name: str, **kwargs: Any) -> bytes: ...
    def render_linked_js(self, js_files: Iterable[str]) -> str: ...
    def render_embed_js(self, js_embed: Iterable[bytes]) -> bytes: ...
    def render_linked_css(self, css_files: Iterable[str]) -> str: ...
    def render_embed_css(self, css_embed: Iterable[bytes]) -> bytes: ...
    def _loader(self, template_path: str) -> BaseLoader: ...
    def _embed(self, page: bytes, modules: Iterable[UIModule]) -> bytes: ...


class RenderingMixin(SettingsMixin):
    """`render` and `render_string`, and what applications override about them.

    The settings are `template_path` (by default the directory of the file that calls), `template_loader`,
    `autoescape`, `template_whitespace` and `compiled_template_cache`.
    """

    _active_modules: dict[str, UIModule] | None = None
    _templates_checked = False
    #: By application.
    _template_loaders: ClassVar[WeakKeyDictionary[Any, _Loaders]] = WeakKeyDictionary()
    _template_loader_lock: ClassVar[threading.Lock] = threading.Lock()

    @property
    def ui(self: _Host) -> ObjectDict:
        """The application's UI methods, bound to this handler, and its UI modules as `modules`."""
        # Not kept: a handler that knows what knows the handler would have to wait for the garbage collector.
        active = self._active_modules
        if active is None:
            active = self._active_modules = {}
        return ui_namespace(self, self.application.ui_modules, self.application.ui_methods, active)

    def render(self: _Host, template_name: str, **kwargs: Any) -> asyncio.Future[None]:
        """Answers with the template `template_name`, rendered with `kwargs` as its variables.

        Puts in what the page's UI modules need, and returns what `finish` does. Raises RuntimeError after
        `finish`, and what `render_string` raises.
        """
        if self._finished:
            raise RuntimeError("Cannot render() after finish()")
        page = self.render_string(template_name, **kwargs)
        if self._active_modules:
            page = self._embed(page, self._active_modules.values())
            # The page is made; for the same reason as `ui`.
            self._active_modules = None
        return self.finish(page)

    def render_string(self: _Host, template_name: str, **kwargs: Any) -> bytes:
        """Returns the template `template_name`, rendered with `kwargs` over `get_template_namespace()`.

        Raises `ParseError` for a template that cannot be compiled, what the loader raises for one that does
        not exist, and whatever its expressions raise.
        """
        loader = self._loader(self.get_template_path() or _directory_of_caller())
        return loader.load(template_name).generate(**{**self.get_template_namespace(), **kwargs})

    def get_template_namespace(self: _Host) -> dict[str, Any]:
        """Returns the variables that every template of this handler has. Override it to add more."""
        locale = self.locale
        return {
            "handler": self,
            "request": self.request,
            "current_user": self.current_user,
            "locale": locale,
            "_": locale.translate,
            "pgettext": locale.pgettext,
            "static_url": self.static_url,
            "xsrf_form_html": self.xsrf_form_html,
            "reverse_url": self.reverse_url,
            **self.ui,
        }

    def get_template_path(self) -> str | None:
        """Returns the templates' directory: the setting `template_path`, or None for that of the caller."""
        return self.application.settings.get("template_path")

    def create_template_loader(self: _Host, template_path: str) -> BaseLoader:
        """Returns the loader for a directory: the setting `template_loader`, or one that reads files there.

        It is called once for each application and directory.
        """
        settings = self.settings
        given: BaseLoader | None = settings.get("template_loader")
        if given is not None:
            return given
        # Only a program that renders needs the engine, and Python's `ast` with it.
        from eyewall.web.template.loader import Loader

        options: dict[str, Any] = {}
        # None is a choice here: it turns escaping off.
        if "autoescape" in settings:
            options["autoescape"] = settings["autoescape"]
        if "template_whitespace" in settings:
            options["whitespace"] = settings["template_whitespace"]
        return Loader(template_path, **options)

    def _loader(self: _Host, template_path: str) -> BaseLoader:
        loaders = self._template_loaders.get(self.application)
        if loaders is None:
            with self._template_loader_lock:
                loaders = self._template_loaders.setdefault(self.application, {})
        if not self._templates_checked:
            self._templates_checked = True
            if not self.settings.get("compiled_template_cache", True):
                for kept in list(loaders.values()):
                    kept.reset()
        key = (template_path, type(self).create_template_loader)
        loader = loaders.get(key)
        if loader is None:
            # Outside the lock, which is no place for what an application overrides; the first one stays.
            loader = loaders.setdefault(key, self.create_template_loader(template_path))
        return loader

    # -- what UI modules bring --------------------------------------------------------------------------

    def _embed(self: _Host, page: bytes, modules: Iterable[UIModule]) -> bytes:
        """Returns `page` with what its modules need, before `</head>` and before the last `</body>`."""
        scripts: list[str] = []
        styles: list[str] = []
        script_texts: list[bytes] = []
        style_texts: list[bytes] = []
        heads: list[bytes] = []
        bodies: list[bytes] = []
        for module in modules:
            scripts += as_files(module.javascript_files())
            styles += as_files(module.css_files())
            for found, texts in (
                (module.embedded_javascript(), script_texts),
                (module.embedded_css(), style_texts),
                (module.html_head(), heads),
                (module.html_body(), bodies),
            ):
                if found:
                    texts.append(utf8(found))
        head = []
        if styles:
            head.append(utf8(self.render_linked_css(dict.fromkeys(styles))))
        if style_texts:
            head.append(utf8(self.render_embed_css(style_texts)))
        if heads:
            head.append(b"".join(heads))
        body = []
        if scripts:
            body.append(utf8(self.render_linked_js(dict.fromkeys(scripts))))
        if script_texts:
            body.append(utf8(self.render_embed_js(script_texts)))
        if bodies:
            body.append(b"".join(bodies))
        page = _insert(page, page.find(b"</head>"), head, "</head>")
        return _insert(page, page.rfind(b"</body>"), body, "</body>")

    def render_linked_js(self: _Host, js_files: Iterable[str]) -> str:
        """Returns the tags for scripts at the addresses `js_files`; relative ones are static files."""
        return "".join(
            [
                f'<script src="{xhtml_escape(_address(self, file))}" type="text/javascript"></script>'
                for file in js_files
            ]
        )

    def render_embed_js(self, js_embed: Iterable[bytes]) -> bytes:
        """Returns the tag for scripts that stand in the page, `js_embed`. They are not escaped."""
        code = b"\n".join(js_embed)
        return b'<script type="text/javascript">\n//<![CDATA[\n' + code + b"\n//]]>\n</script>"

    def render_linked_css(self: _Host, css_files: Iterable[str]) -> str:
        """Returns the tags for style sheets at the addresses `css_files`; relative ones are static files."""
        return "".join(
            [
                f'<link href="{xhtml_escape(_address(self, file))}" type="text/css" rel="stylesheet"/>'
                for file in css_files
            ]
        )

    def render_embed_css(self, css_embed: Iterable[bytes]) -> bytes:
        """Returns the tag for CSS that stands in the page, `css_embed`. It is not escaped."""
        return b'<style type="text/css">\n' + b"\n".join(css_embed) + b"\n</style>"


def _address(handler: _Host, file: str) -> str:
    return file if file.startswith(("/", "http:", "https:")) else handler.static_url(file)


def _insert(page: bytes, at: int, parts: list[bytes], tag: str) -> bytes:
    if not parts:
        return page
    if at < 0:
        raise ValueError(f"the page has UI modules with resources, but no {tag} to put them before")
    return b"".join([page[:at], *[part + b"\n" for part in parts], page[at:]])


def _directory_of_caller() -> str:
    """Returns the directory of the nearest file on the stack that is neither Eyewall's nor a template."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        file = frame.f_code.co_filename
        if not frame.f_globals.get("__name__", "").startswith("eyewall.web.") and not file.endswith(
            " (template)"
        ):
            break
        frame = frame.f_back
    return os.path.dirname(frame.f_code.co_filename)
