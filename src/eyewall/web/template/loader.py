"""Where templates come from, and where they are kept once they are compiled."""

from __future__ import annotations

import os
import posixpath
import threading
from typing import Any

from eyewall.web.template.codegen import DIRECT_ESCAPE
from eyewall.web.template.template import Template


class BaseLoader:
    """Loads templates by name and keeps them. Subclasses say what names mean.

    They define `resolve_path` and `_create_template`. `autoescape`, `namespace` and `whitespace` are what
    `Template` takes for its own, for every template that this loads. Any thread may load.
    """

    def __init__(
        self,
        autoescape: str | None = DIRECT_ESCAPE,
        namespace: dict[str, Any] | None = None,
        whitespace: str | None = None,
    ) -> None:
        self.autoescape = autoescape
        self.namespace = namespace or {}
        self.whitespace = whitespace
        self.templates: dict[str, Template] = {}
        # Reentrant: compiling a template loads those it includes.
        self.lock = threading.RLock()

    def reset(self) -> None:
        """Forgets every template; what is loaded next is compiled anew."""
        with self.lock:
            self.templates = {}

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """Returns the name under which `name`, as `parent_path` calls it, is kept."""
        raise NotImplementedError

    def load(self, name: str, parent_path: str | None = None) -> Template:
        """Returns the template `name`, as seen from the template `parent_path`.

        Raises ParseError for one that cannot be compiled, and what `_create_template` raises for one that
        does not exist.
        """
        path = self.resolve_path(name, parent_path=parent_path)
        found = self.templates.get(path)
        if found is not None:
            return found
        with self.lock:
            if path not in self.templates:
                self.templates[path] = self._create_template(path)
            return self.templates[path]

    def _create_template(self, name: str) -> Template:
        raise NotImplementedError


def _is_relative(name: str, parent_path: str | None) -> bool:
    """Says whether `name` is meant from where `parent_path` stands. A parent `<string>` stands nowhere."""
    return bool(parent_path) and not parent_path.startswith(("<", "/")) and not name.startswith("/")  # type: ignore[union-attr]


class Loader(BaseLoader):
    """Loads templates from the files below `root_directory`.

    Names are the application's and the templates' own: one that begins with `/` or climbs with `..` can leave
    the directory. Never pass on a name that a client has sent. Raises OSError for a file that cannot be read.
    """

    def __init__(self, root_directory: str | os.PathLike[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.root = os.path.abspath(root_directory)

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """Returns `name`, used in the template `parent_path`, relative to the root directory, where it lies
        below it.
        """
        if not _is_relative(name, parent_path):
            return name
        assert parent_path is not None
        path = os.path.abspath(os.path.join(self.root, os.path.dirname(parent_path), name))
        inside = os.path.join(self.root, "")
        return path[len(inside) :] if path.startswith(inside) else name

    def _create_template(self, name: str) -> Template:
        with open(os.path.join(self.root, name), "rb") as file:
            source = file.read()
        return Template(source, name=name, loader=self)


class DictLoader(BaseLoader):
    """Loads templates from `dict`, a dictionary of names and sources. Raises KeyError for a name that it lacks."""

    def __init__(self, dict: dict[str, str | bytes], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dict = dict

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """Returns `name`, used in the template `parent_path`, as a path in the dictionary."""
        if not _is_relative(name, parent_path):
            return name
        assert parent_path is not None
        return posixpath.normpath(posixpath.join(posixpath.dirname(parent_path), name))

    def _create_template(self, name: str) -> Template:
        return Template(self.dict[name], name=name, loader=self)
