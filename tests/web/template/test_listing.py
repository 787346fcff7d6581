"""Tracebacks of templates show the templates."""

import traceback

import pytest

from eyewall.base.objects import ObjectDict
from eyewall.web.template import DictLoader, Template


def failure(files, name):
    loader = DictLoader(files)
    template = loader.load(name)
    with pytest.raises(ZeroDivisionError) as caught:
        template.generate()
    return "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("source", "number", "line"),
    [
        ("one\ntwo{{1/0}}\nthree", 2, "two{{1/0}}  # t.html:2"),
        ("one\n{%if 1/0%}\n{%end%}", 2, "{%if 1/0%}  # t.html:2"),
        ("{% if 0 %}\n{% elif 1/0 %}{% end %}", 2, "{% elif 1/0 %}{% end %}  # t.html:2"),
        ("\n{% for i in 1/0 %}{% end %}", 2, "{% for i in 1/0 %}{% end %}  # t.html:2"),
        ("\n{% while 1/0 %}{% end %}", 2, "{% while 1/0 %}{% end %}  # t.html:2"),
        ("\n{% set x = 1/0 %}", 2, "{% set x = 1/0 %}  # t.html:2"),
        ("\n{% raw 1/0 %}", 2, "{% raw 1/0 %}  # t.html:2"),
        ("{{ (1 +\n 1/0) }}", 2, "1/0) }}  # t.html:2"),
        ("{% apply lambda s:\\\n 1/0 %}\n{% end %}", 2, "1/0 %}  # t.html:2"),
        ("a\n\n{{ 1 }}{{ 2\n}}{{ 1/0 }}", 4, "}}{{ 1/0 }}  # t.html:4"),
        ("\u2028\x0c\r\n{{ 1/0 }}", 2, "{{ 1/0 }}  # t.html:2"),
        ("{% try %}\n{{ 1/0 }}{% finally %}{% end %}", 2, "{{ 1/0 }}{% finally %}{% end %}  # t.html:2"),
    ],
)
def test_lines_of_one_file(source, number, line):
    text = failure({"t.html": source}, "t.html")
    assert f'File "t.html (template)", line {number}, in ' in text
    assert f"    {line}\n" in text


def test_the_place_within_the_line():
    text = failure({"t.html": "\nä {{ 1 + 1/0 }}"}, "t.html")
    shown = text.splitlines()
    line = next(i for i, found in enumerate(shown) if "t.html:2" in found)
    marked = shown[line + 1]
    assert shown[line][marked.index("~") :].startswith("1/0")


def test_an_error_while_a_value_is_converted():
    class Bad:
        def __str__(self):
            raise KeyError("bad")

    with pytest.raises(KeyError) as caught:
        Template("a\n{{ x }}", name="t").generate(x=Bad())
    assert "{{ x }}  # t:2" in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("files", "name", "comment"),
    [
        ({"base": "{% include sub %}", "sub": "{{1/0}}"}, "base", "{{1/0}}  # sub:1 (via base:1)"),
        (
            {"a": "\n{% include b %}", "b": "\n\n{% include c %}", "c": "{{1/0}}"},
            "a",
            "{{1/0}}  # c:1 (via b:3, a:2)",
        ),
        ({"base": "\n{{1/0}}", "sub": "{% extends base %}"}, "sub", "{{1/0}}  # base:2"),
        (
            {
                "base": "{% block b %}{% end %}",
                "sub": "\n{% extends base %}\n{% block b %}\n{{1/0}}\n{% end %}\n",
            },
            "sub",
            "{{1/0}}  # sub:4 (via base:1)",
        ),
        (
            {
                "base": "{% block b %}{% end %}",
                "sub": "{% extends base %}{% block b %}{% include i %}{% end %}",
                "i": "\n{{1/0}}",
            },
            "sub",
            "{{1/0}}  # i:2 (via sub:1, base:1)",
        ),
        (
            {"a": "{% set x = 1 %}{% include b %}{% set x = 0 %}\n{% include b %}", "b": "{{ 1/x }}"},
            "a",
            "{{ 1/x }}  # b:1 (via a:2)",
        ),
        (
            {
                "base": "{% set x = 0 %}{% block i %}{% end %}\n{% block o %}{% end %}",
                "sub": "{% extends base %}{% block o %}\n{% block i %}\n{{ 1/x }}{% end %}\n{% end %}",
            },
            "sub",
            "{{ 1/x }}{% end %}  # sub:3 (via base:1)",
        ),
        (
            {
                "base": "{% set x = 1 %}{% block i %}{% end %}\n{% set x = 0 %}{% block o %}{% end %}",
                "sub": "{% extends base %}{% block o %}\n{% block i %}\n{{ 1/x }}{% end %}\n{% end %}",
            },
            "sub",
            "{{ 1/x }}{% end %}  # sub:3 (via base:2)",
        ),
        (
            {
                "base": "{% set x = 1 %}{% block b %}{% end %}\n{% set x = 0 %}{% block b %}{% end %}",
                "sub": "{% extends base %}\n{% block b %}{{ 1/x }}{% end %}",
            },
            "sub",
            "{{ 1/x }}{% end %}  # sub:2 (via base:2)",
        ),
    ],
)
def test_lines_of_several_files(files, name, comment):
    assert comment in failure(files, name)


def test_lines_of_the_loaded_file_keep_their_numbers():
    files = {
        "base": "\n\n\n\n{% block b %}{% end %}",
        "sub": "{% extends base %}\n\n{% block b %}\n{{1/0}}{% end %}",
    }
    assert 'File "sub (template)", line 4, in ' in failure(files, "sub")


def test_modules_show_both_templates():
    def render(name):
        return loader.load(name).generate()

    namespace = {"_tt_modules": ObjectDict(Template=render)}
    files = {"base.html": "{% module Template('sub.html') %}", "sub.html": "{{1/0}}"}
    loader = DictLoader(files, namespace=namespace)
    with pytest.raises(ZeroDivisionError) as caught:
        loader.load("base.html").generate()
    text = "".join(traceback.format_exception(caught.value))
    assert "# base.html:1" in text
    assert "# sub.html:1" in text


def test_lines_are_those_of_the_version_that_failed():
    loader = DictLoader({"t": "{{ 1/0 }} old"})
    for word in ("old", "new"):
        loader.dict["t"] = "{{ 1/0 }} " + word
        loader.reset()
        with pytest.raises(ZeroDivisionError) as caught:
            loader.load("t").generate()
        assert "{{ 1/0 }} " + word in "".join(traceback.format_exception(caught.value))
