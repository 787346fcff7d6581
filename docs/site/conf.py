"""What Sphinx is told."""

from __future__ import annotations

from docs.site import reference
from eyewall import __version__

project = "Eyewall"
author = "The authors of Eyewall"
project_copyright = author
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "docs.site.referring",
    "docs.site.mending",
    "docs.site.constants",
]
source_suffix = {".md": "markdown"}
root_doc = "index"
nitpicky = True
# Text between single backticks in docstrings.
default_role = "name"

myst_heading_anchors = 4
# GitHub's own tables of contents and anchors; nothing that GitHub does not show.
myst_enable_extensions = []

autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
add_module_names = False
toc_object_entries = False

html_theme = "furo"
html_title = f"Eyewall {release}"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_permalinks_icon = "#"

#: Public names by those that their modules give them, for `referring`.
eyewall_names = reference.real_names()
