"""Templates: text with Python in it, compiled to one Python function each.

    {{ expression }}                     printed, escaped
    {% raw expression %}                 printed as it is
    {% module Name(arguments) %}         printed as it is: what a UI module renders
    {# comment #}, {% comment … %}       not printed
    {{! {%! {#!                          printed without the mark
    {% set statement %}                  simple statements: assignments, calls
    {% import module %}, {% from module import name %}
    {% if %} … {% elif %} … {% else %} … {% end %}
    {% for name in expression %} … {% else %} … {% end %}, {% while %} … {% else %} … {% end %}
    {% break %}, {% continue %}
    {% try %} … {% except %} … {% else %} … {% finally %} … {% end %}
    {% apply function %} … {% end %}     prints what the function makes of what is inside, given as bytes
    {% block name %} … {% end %}         what a template that extends this one can replace
    {% extends name %}, {% include name %}
    {% autoescape function %}            for the whole file; None for no escaping
    {% whitespace mode %}                from here on: all, single, oneline

Variables are the arguments of `generate`; a variable that the template sets is local to the whole page, also
in included files and in `{% apply %}`. Names that begin with `_tt_` are reserved.

**A template is code.** It can do whatever Python in this process can do: import, open files, call. Nothing is
a sandbox here. Templates are written by whoever writes the application; text of a user belongs into
variables, never into a template's source or its name. Values are escaped by default, for HTML text and quoted
attributes; that does not make them safe inside `<script>`, in an unquoted attribute, or as the URL of a link.
"""

from eyewall.web.template.errors import ParseError
from eyewall.web.template.loader import BaseLoader, DictLoader, Loader
from eyewall.web.template.template import Template
from eyewall.web.template.whitespace import filter_whitespace

__all__ = ["BaseLoader", "DictLoader", "Loader", "ParseError", "Template", "filter_whitespace"]
