"""References to names: where they lead, and which may lead nowhere.

Docstrings put code between single backticks, arguments and public names alike. The role `name` makes a link of those
that are public, and code of the others. The same goes for types in signatures, where names of the standard library and
of modules that are nobody's business stand as well. A reference that a page states by a role must lead somewhere.
"""

from __future__ import annotations

import builtins
import inspect
from collections.abc import Mapping
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.python import PythonDomain, PyXRefRole
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import find_pending_xref_condition


class NameRole(PyXRefRole):
    """Text between single backticks in a docstring."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        self.refdomain, self.reftype, self.classes = "py", "obj", ["xref", "py", "py-obj"]
        if not self.text.replace(".", "").replace("_", "").isalnum():
            return [nodes.literal(self.rawtext, self.text)], []
        return super().create_xref_node()


def find(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, shown: nodes.TextElement
) -> nodes.Node | None:
    """Resolves what the domain of Python has not: names by their own modules, and names that are public elsewhere."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    names: Mapping[str, str] = app.config.eyewall_names
    domain: PythonDomain = env.domains.python_domain
    public = names.get(target) or _only(target, names)
    if public is not None and public in domain.objects:
        found = domain.objects[public]
        return _link(app, node, found.docname, found.node_id, shown)
    # In the reference, what is not public stays text; elsewhere it is a mistake.
    return shown if node["refdoc"].startswith("reference/") else None


def be_exact(app: Sphinx, doctree: nodes.document) -> None:
    """Has references of the reference mean what they say: not anything that has a name ending like it, as in searches
    for `bytes` that find a method, and that go through all names there are, each time."""
    if app.env.current_document.docname.startswith("reference/"):
        for node in list(doctree.findall(addnodes.pending_xref)):
            if node.get("refdomain") == "py":
                node.attributes.pop("refspecific", None)
                if hasattr(builtins, node["reftarget"]):
                    shown = find_pending_xref_condition(node, "resolved")
                    node.replace_self(node.children if shown is None else shown.children)


def _only(target: str, names: Mapping[str, str]) -> str | None:
    """The public name that ends like this, if there is exactly one."""
    if len(target) < 4:
        return None
    found = {name for name in names.values() if name.endswith(f".{target}")}
    return found.pop() if len(found) == 1 else None


def _link(
    app: Sphinx, node: addnodes.pending_xref, page: str, anchor: str, shown: nodes.TextElement
) -> nodes.Node:
    address = app.builder.get_relative_uri(node["refdoc"], page) + "#" + anchor
    reference = nodes.reference("", "", internal=True, refuri=address)
    reference += shown
    return reference


def lay_out(app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    """Makes reStructuredText of a docstring: what is indented after a paragraph is code or a drawing.

    The docstring of a class also has what its `__init__` says.
    """
    if what in ("class", "exception"):
        made = inspect.getattr_static(value, "__init__", None)
        if getattr(made, "__module__", "").startswith("eyewall") and (more := inspect.getdoc(made)):
            lines += ["", *more.splitlines(), ""]
    position = 1
    while position < len(lines):
        before, line = lines[position - 1], lines[position]
        if line.startswith(" ") and not before.strip() and position > 1:
            above = next((each for each in reversed(lines[:position]) if each.strip()), "")
            if not above.startswith((" ", "-", "*", ".. ")):
                lines[position:position] = ["::", ""]
                position += 2
        position += 1


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_config_value("eyewall_names", {}, "", dict)
    app.add_role("name", NameRole())
    app.connect("missing-reference", find)
    app.connect("doctree-read", be_exact)
    app.connect("autodoc-process-docstring", lay_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
