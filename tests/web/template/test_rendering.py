"""What templates print."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.web.template import DictLoader, Template
from eyewall.web.template.codegen import _RUN


def page(source, **variables):
    return Template(source).generate(**variables)


class Text(str):
    def __str__(self):
        return "not this"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", b"plain"),
        (b"bytes", b"bytes"),
        (b"<b>", b"&lt;b&gt;"),
        ("é", "é".encode()),
        ("é".encode(), "é".encode()),
        (None, b"None"),
        (0, b"0"),
        (1.5, b"1.5"),
        (True, b"True"),
        (Text("<"), b"&lt;"),
        (["<"], b"[&#x27;&lt;&#x27;]"),
        ("&<>\"'", b"&amp;&lt;&gt;&quot;&#x27;"),
        ("&amp;", b"&amp;amp;"),
    ],
)
def test_values(value, expected):
    assert page("{{ x }}", x=value) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", b""),
        ("a", b"a"),
        ("{{ 2 + 2 }}", b"4"),
        ("{{'<'}}", b"&lt;"),
        ("{{ 1, 2 }}", b"(1, 2)"),
        ("{{ *[1], 2 }}", b"(1, 2)"),
        ("{{ 1 +\n 2 }}", b"3"),
        ("{{ 1,\n 2 }}", b"(1, 2)"),
        ("{{ 1 # why }}", b"1"),
        ("{{ (x := 3) }}{{ x }}", b"33"),
        ("{{ [i for i in (1, 2)] }}", b"[1, 2]"),
        ("{% set x = 1 %}{{ [x for _ in (1, 2)] }}", b"[1, 1]"),
        ('{{ f"{1 + 1}" }}', b"2"),
        ('{{ f"""{1\n}""" }}', b"1"),
        ("{# a #}b{% comment c %}d", b"bd"),
        ("{{! x }} {%! {#!", b"{{ x }} {% {#"),
        ("{{{ 1 }}}", b"{1}"),
        ("{% raw '<' %}", b"<"),
        ("{% raw b'<' %}{% raw 5 %}", b"<5"),
        ("{% if 1 %}a{% else %}b{% end %}", b"a"),
        ("{% if 0 %}a{% else %}b{% end %}", b"b"),
        ("{% if 0 %}a{% elif 1 %}b{% elif 1 %}c{% else %}d{% end %}", b"b"),
        ("{% if 0 %}a{% elif 0 %}b{% else %}d{% end if %}", b"d"),
        ("{% if True %}{% else %}{% end %}", b""),
        ("{%\nif 1\n%}a{% end %}", b"a"),
        ("{% for i in range(3) %}{{ i }}{% end %}", b"012"),
        ("{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% end %}", b"123"),
        ("{% for i in [] %}a{% else %}b{% end %}", b"b"),
        ("{% for i in [1, 2] %}{% if i == 1 %}{% continue %}{% end %}{{ i }}{% end %}", b"2"),
        ("{% for i in [1, 2] %}{{ i }}{% break %}{% else %}b{% end %}", b"1"),
        ("{% for i in [1] %}{% for j in [] %}{% else %}{% break %}{% end %}a{% end %}", b""),
        ("{% set i = 2 %}{% while i %}{{ i }}{% set i -= 1 %}{% else %}!{% end %}", b"21!"),
        ("{% while True %}{% break %}{% end %}", b""),
        ("{% set a = 1; b = 2 %}{{ a + b }}", b"3"),
        ("{% set a = [] %}{% set a.append(1) %}{{ a }}", b"[1]"),
        ("{% set a: int = 3 %}{{ a }}", b"3"),
        ("{% set x = 1 %}{% set del x %}", b""),
        ("{% import os.path %}{{ os.path.sep }}", b"/"),
        ("{% from os import sep as s, curdir %}{{ s }}{{ curdir }}", b"/."),
        ("{% block a %}x{% end %}", b"x"),
        ("{% apply lambda s: s * 2 %}x{% end %}", b"xx"),
        ("{% apply squeeze %}{% raw ' a  b ' %}{% end %}", b"a b"),
    ],
)
def test_language(source, expected):
    if "squeeze" in source:
        source = source.replace("squeeze", "lambda s: squeeze(s.decode())")
    assert page(source) == expected


def test_default_names():
    assert page("{{ escape is xhtml_escape }}{{ datetime.date(2020, 1, 2) }}") == b"True2020-01-02"
    assert page("{{ url_escape('a b') }}{% raw json_encode({'a': '</'}) %}") == b'a+b{"a": "<\\/"}'
    assert page("{% raw linkify('http://a.b') %}") == b'<a href="http://a.b">http://a.b</a>'
    assert page("{{ squeeze('a  b') }}") == b"a b"
    assert page("{{ escape }}", escape="mine") == b"mine"


def test_variables_are_looked_up_like_globals():
    assert page("{{ globals().get('missing') }}{{ 'x' in globals() }}", x=1) == b"NoneTrue"
    with pytest.raises(NameError, match="'missing' is not defined"):
        page("{{ missing }}")
    with pytest.raises(UnboundLocalError):
        page("{% set x = x + 1 %}", x=1)


def test_renderings_share_nothing():
    template = Template("{% if first %}{% set globals().update(leak=1) %}{% end %}{{ 'leak' in globals() }}")
    assert template.generate(first=True) == b"True"
    assert template.generate(first=False) == b"False"


@pytest.mark.parametrize(
    ("x", "expected"), [(1, b"\ntry\n-else\n-finally\n"), (0, b"\ntry-except\n-finally\n")]
)
def test_try(x, expected):
    source = """{% try %}
try{% set y = 1/x %}
{% except %}-except
{% else %}-else
{% finally %}-finally
{% end %}"""
    assert page(source, x=x) == expected


def test_what_was_printed_before_an_exception_stays():
    assert page("{% try %}a{{ 1 }}b{{ 1/0 }}c{% except ZeroDivisionError as e %}-{{ e }}{% end %}") == (
        b"a1b-division by zero"
    )
    inner = "{% if 1 %}{% for i in (1, 0) %}<{{ 1//i }}>{% end %}{% end %}"
    assert page("{% try %}" + inner + "{% except %}!{% end %}") == b"<1><!"
    # An applied function needs the whole, so there is nothing of it.
    assert page("{% try %}a{% apply str %}b{{ 1/0 }}{% end %}{% except %}!{% end %}") == b"a!"
    assert page(
        "{% try %}{% try %}a{{ 1/0 }}{% finally %}f{% end %}{% except A %}{% except %}e{% end %}", A=()
    ) == (b"afe")


def test_values_are_converted_when_their_turn_comes():
    source = "{{ x }}{% raw x.append(1) %}{{ x }}{% set x.append(2) %}{{ x }}"
    assert page(source, x=[]) == b"[]None[1][1, 2]"


@pytest.mark.parametrize("count", [1, 2, _RUN - 1, _RUN, _RUN + 1, 5 * _RUN])
def test_many_pieces_between_statements(count):
    assert page("{{ x }}," * count, x=1) == b"1," * count
    assert page("{{ x }}" * count, x="<") == b"&lt;" * count
    assert page("{{! " * count) == b"{{ " * count


# -- functions ----------------------------------------------------------------------------------------------


def test_applied_functions_get_bytes():
    got = []
    source = "{% apply f %}é{{ '<' }}{% end %}"
    assert page(source, f=lambda s: got.append(s) or "<é>") == "<é>".encode()
    assert page(source, f=lambda s: got.append(s) or b"<b>") == b"<b>"
    assert got == ["é&lt;".encode()] * 2
    assert (
        page("{% apply f %}a{% apply f %}b{% end %}c{% end %}d", f=lambda s: b"(" + s + b")") == b"(a(b)c)d"
    )


@pytest.mark.parametrize("result", [None, 5, ["x"]])
def test_applied_functions_must_return_text(result):
    with pytest.raises(TypeError, match="must return str or bytes"):
        page("{% apply f %}a{% end %}", f=lambda s: result)
    with pytest.raises(TypeError, match="must return str or bytes"):
        page("{% autoescape f %}{{ 1 }}", f=lambda s: result)


def test_variables_cross_apply_both_ways():
    source = "{% set x = 1 %}{% apply f %}{{ x }}{% set x = 2 %}{% set y = 3 %}{{ x }}{% end %}{{ x }}{{ y }}"
    assert page(source, f=lambda s: s) == b"1223"


def test_loops_inside_apply():
    inner = "{% for j in x %}{% if j > i %}{% break %}{% end %}{{ j }}{% end %}"
    source = "{% for i in x %}{% apply f %}" + inner + "{% end %}{% end %}"
    assert page(source, x=[0, 1, 2], f=lambda s: s + b",") == b"0,01,012,"


# -- escaping -----------------------------------------------------------------------------------------------


def test_custom_escape_function():
    got = []

    def py_escape(value):
        got.append(value)
        return repr(value.decode())

    source = "{% autoescape py_escape %}s = {{ name }}\n"
    assert page(source, py_escape=py_escape, name="<html>") == b"s = '<html>'\n"
    assert page(source, py_escape=py_escape, name=["no string"]) == b"""s = "['no string']"\n"""
    assert page(source, py_escape=py_escape, name=b"by") == b"s = 'by'\n"
    assert all(type(value) is bytes for value in got)


def test_escape_functions_are_expressions():
    assert (
        page("{% autoescape m.f %}{{ 1 }}", m=type("M", (), {"f": staticmethod(lambda s: b"[" + s + b"]")}))
        == b"[1]"
    )
    assert page("{% autoescape escape %}{{ '<' }}") == b"&lt;"
    assert page("{% autoescape None %}{{ '<' }}") == b"<"


def test_the_escape_function_can_be_replaced():
    def loud(value):
        assert type(value) is bytes
        return value.upper()

    assert page("{{ x }}", x="a", xhtml_escape=loud) == b"A"
    assert DictLoader({"t": "{{ x }}"}, namespace={"xhtml_escape": loud}).load("t").generate(x="a") == b"A"
    template = Template("{% set xhtml_escape = lambda s: s.upper() %}{{ x }}")
    assert template.generate(x="a") == b"A"
    assert "_tt_result(xhtml_escape(_tt_argument(x)))" in template.code
    assert page("{% from urllib.parse import quote as xhtml_escape %}{{ '<' }}") == b"%3C"


def test_autoescape_holds_for_the_whole_file():
    assert page("{{ '<' }}{% autoescape None %}{{ '<' }}") == b"<<"


def test_autoescape_arguments():
    assert Template("{{ '<' }}", autoescape=None).generate() == b"<"
    assert Template("{{ '<' }}", autoescape="xhtml_escape").generate() == b"&lt;"
    loader = DictLoader({"t": "{{ '<' }}"}, autoescape=None)
    assert loader.load("t").generate() == b"<"
    assert loader.load("t").autoescape is None
    assert Template("{{ '<' }}", loader=loader, autoescape="xhtml_escape").generate() == b"&lt;"


MARKUP = st.text(st.sampled_from("<>&\"'ax;#é\u2028"), min_size=1)


@given(MARKUP)
def test_nothing_a_value_holds_becomes_markup(value):
    loader = DictLoader(
        {
            "base.html": "{% block a %}{% end %}",
            "part.html": "{{ x }}",
            "page.html": "{% extends base.html %}{% block a %}"
            "{% for i in [x] %}{{ i }}{% include part.html %}"
            "{% if x %}{{ x.encode() }}{% end %}{% try %}{{ x }}{% finally %}{% end %}"
            "{% apply str.encode if 0 else bytes %}{{ [x] }}{% end %}{% end %}{% end %}",
        }
    )
    printed = loader.load("page.html").generate(x=value).decode()
    assert not set("<>\"'") & set(printed)
    assert not re.search("&(?!(amp|lt|gt|quot|#x27);)", printed)
    # Only what is raw comes through.
    assert Template("{% raw x %}").generate(x=value).decode() == value


# -- bytes that are not text --------------------------------------------------------------------------------


def test_raw_bytes_come_through_unchanged():
    binary = bytes(range(256))
    assert page("é{% raw x %}{{ y }}", x=binary, y="é") == "é".encode() + binary + "é".encode()
    assert page("{% apply f %}a{% end %}é", f=lambda s: binary) == binary + "é".encode()
    assert page("{% apply f %}{% raw x %}{% end %}", f=lambda s: s, x=binary) == binary


def test_escaped_bytes_must_be_text():
    with pytest.raises(UnicodeDecodeError):
        page("{{ x }}", x=b"\xff")


@pytest.mark.parametrize("source", ["{{ x }}", "{% raw x %}", "{% raw b'\\xff' %}{{ x }}"])
def test_lone_surrogates_are_refused(source):
    with pytest.raises(UnicodeEncodeError):
        page(source, x="\udcff")


# -- white space --------------------------------------------------------------------------------------------


def test_whitespace_by_name_loader_and_directive():
    files = {
        "foo.html": "   \n\t\n asdf\t   ",
        "bar.js": " \n\n\n\t qwer     ",
        "baz.txt": "\t    zxcv\n\n",
        "include.html": "  {% include baz.txt %} \n ",
        "include.txt": "\t\t{% include foo.html %}    ",
    }
    loader = DictLoader(files)
    printed = {name: loader.load(name).generate() for name in files}
    assert printed == {
        "foo.html": b"\nasdf ",
        "bar.js": b"\nqwer ",
        "baz.txt": b"\t    zxcv\n\n",
        "include.html": b" \t    zxcv\n\n\n",
        "include.txt": b"\t\t\nasdf     ",
    }
    assert DictLoader(files, whitespace="oneline").load("foo.html").generate() == b" asdf "
    assert DictLoader(files, whitespace="all").load("foo.html").generate() == files["foo.html"].encode()
    changing = (
        "{% whitespace oneline %}\n{% for i in range(2) %}\n {{ i }}\n{% end %}{% whitespace all %}\n\t x"
    )
    assert page(changing) == b"  0  1 \n\t x"


def test_whitespace_arguments():
    assert Template(" \n a", whitespace="single").generate() == b"\na"
    assert Template("  a", name="x.html").generate() == b" a"
    assert Template("  a", compress_whitespace=True).generate() == b" a"
    assert Template("  a", name="x.html", compress_whitespace=False).generate() == b"  a"
    with pytest.raises(ValueError, match="cannot set both"):
        Template("", compress_whitespace=False, whitespace="all")
    with pytest.raises(ValueError, match="invalid whitespace mode bogus"):
        Template("", whitespace="bogus")


def test_preformatted_text_keeps_its_white_space():
    assert Template("<pre>\n\n x</pre>  y", whitespace="oneline").generate() == b"<pre>\n\n x</pre>  y"


def test_white_space_inside_tags_is_free():
    source = "{% for i in items\n  %}{% if i > 0 %}, {% end %}{#\n  #}{{i\n  }}{% end\n%}"
    assert page(source, items=range(5)) == b"0, 1, 2, 3, 4"


@given(st.text(st.characters(exclude_characters="{", exclude_categories=["Cs"])))
def test_text_without_braces_is_printed_as_it_is(text):
    assert page(text) == text.encode()
    assert page(text.encode()) == text.encode()


# -- what is generated --------------------------------------------------------------------------------------


def test_literals_that_touch_become_one():
    loader = DictLoader({"t": "a{# c #}b{{!c{% include u %}{% block b %}e{% end %}f", "u": "d"})
    code = loader.load("t").code
    assert "_tt_out.append('ab{{cdef')" in code
    assert code.count("_tt_out") == 3


def test_a_row_of_a_table_is_one_statement():
    code = Template("{% for r in rows %}<td>{{ r.a }}</td><td>{{ r.b }}</td>{% end %}").code
    assert "_tt_out += ('<td>', _tt_escape(r.a), '</td><td>', _tt_escape(r.b), '</td>')" in code
    assert code.count("_tt_out") == 3


def test_attributes():
    template = Template("x", name="n")
    assert template.name == "n"
    assert template.namespace == {}
    assert template.loader is None
    assert template.compiled.co_name == "template"
    assert template.file.name == "n"
