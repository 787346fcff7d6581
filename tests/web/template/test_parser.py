"""Templates that cannot be compiled say where and why; every other is compiled."""

import ast
import warnings

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eyewall.web.template import DictLoader, ParseError, Template
from eyewall.web.template.parser import MAX_DEPTH, Parser


def refused(source, **files):
    with pytest.raises(ParseError) as caught:
        DictLoader({"t.html": source, **files}).load("t.html")
    return caught.value


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("{{ }}", 1, "Empty expression"),
        ("\n{% %}", 2, "Empty block tag"),
        ("{% foo %}", 1, "unknown operator: 'foo'"),
        ("{% if(1) %}{% end %}", 1, "unknown operator"),
        ("a\n{% end %}", 2, "Extra {% end %} block"),
        ("\n{% if 1 %}\n{% for i in x %}{% end %}", 2, "Missing {% end %} block for if"),
        ("{% else %}", 1, "else outside"),
        ("{% elif 1 %}", 1, "elif outside if"),
        ("{% except %}", 1, "except outside try"),
        ("{% finally %}", 1, "finally outside try"),
        ("{% block b %}{% else %}{% end %}", 1, "else block cannot be attached to block block"),
        ("{% apply f %}{% else %}{% end %}", 1, "cannot be attached to apply"),
        ("{% for i in x %}{% elif 1 %}{% end %}", 1, "cannot be attached to for"),
        ("{% if 1 %}{% else %}\n{% else %}{% end %}", 2, "else cannot follow else"),
        ("{% if 1 %}{% else %}\n{% elif 2 %}{% end %}", 2, "elif cannot follow else"),
        ("{% try %}{% else %}{% except %}{% end %}", 1, "else cannot follow try"),
        ("{% try %}{% finally %}{% except %}{% end %}", 1, "except cannot follow finally"),
        ("{% if 1 %}{% else if 2 %}{% end %}", 1, "else takes no argument"),
        ("{% try x %}{% except %}{% end %}", 1, "try takes no argument"),
        ("\n{% try %}a\n{% end %}", 2, "try block without except or finally"),
        ("{% try %}{% except %}{% except A %}{% end %}", 1, "default 'except:' must be last"),
        ("{% break %}", 1, "break outside"),
        ("{% if 1 %}\n{% continue %}{% end %}", 2, "continue outside"),
        ("{% for i in x %}{% apply f %}{% break %}{% end %}{% end %}", 1, "break outside"),
        ("{% for i in x %}{% else %}{% break %}{% end %}", 1, "break outside"),
        ("{% for i in x %}{% break now %}{% end %}", 1, "unexpected 'now'"),
        ("{% set %}", 1, "set missing statement"),
        ("{% import %}", 1, "import missing statement"),
        ("{% from %}", 1, "from missing statement"),
        ("{% raw %}", 1, "raw missing expression"),
        ("{% module %}", 1, "module missing expression"),
        ("{% apply %}{% end %}", 1, "apply missing method name"),
        ("{% block %}{% end %}", 1, "block missing name"),
        ("{% include %}", 1, "include missing file path"),
        ("{% extends '' %}", 1, "extends missing file path"),
        ("{% autoescape %}", 1, "autoescape missing function name"),
        ("{% autoescape 1+ %}", 1, "invalid Python '1+'"),
        ("{% whitespace some %}", 1, "invalid whitespace mode some"),
        ("{% extends a %}{% extends a %}", 1, "second extends"),
        ("{% if 1 %}{% extends a %}{% end %}", 1, "extends inside if"),
    ],
)
def test_mistakes_in_tags(source, line, message):
    error = refused(source, a="")
    assert (error.filename, error.lineno) == ("t.html", line)
    assert message in error.message


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("{{ 1 + }}", 1),
        ("\n{{ 1) + (2 }}", 2),
        ("{{ x = 5 }}", 1),
        ("{{ import os }}", 1),
        ("{{ '}}' }}", 1),
        ("{{ *a }}", 1),
        ("{{ x for x in y }}", 1),
        ("{{ 1\n 2 }}", 2),
        ("{{ (1,\n2 }}", 1),
        ("{{ ]\n[ }}", 1),
        ("{{ x\0y }}", 1),
        ("{{ lambda: (yield) + }}", 1),
        ("{% if x: %}{% end %}", 1),
        ("{% if x: y #%}{% end %}", 1),
        ("{% if x = 1 %}{% end %}", 1),
        ("{% if x:\n pass\nelif y %}{% end %}", 1),
        ("{% if x:\n y()\nelif y %}{% end %}", 1),
        ("{% if %}{% end %}", 1),
        ("{% while %}{% end %}", 1),
        ("{% for x %}{% end %}", 1),
        ("{% for x in y: pass\nfor z in w %}{% end %}", 1),
        ("{% for x in y:\n pass\nelse %}{% end %}", 1),
        ("{% for f() in y %}{% end %}", 1),
        ("{% try %}{% except A:\n pass\nfinally %}{% end %}", 1),
        ("{% try %}{% except A as 1 %}{% end %}", 1),
        ("{% try %}{% except * A %}{% end %}", 1),
        ("{% set return 1 %}", 1),
        ("{% set if x: y = 1 %}", 1),
        ("{% set def f(): pass %}", 1),
        ("{% set global x %}", 1),
        ("{% set x = %}", 1),
        ("{% set a = 1\n  b = 2 %}", 2),
        ("{% import os; x = 1 %}", 1),
        ("{% import 1 %}", 1),
        ("{% from os import * %}", 1),
        ("{% from __future__ import annotations %}", 1),
        ("\n{% set x = (yield) %}", 2),
        ("{{ (yield 1) }}", 1),
        ("{{ (await x) }}", 1),
        ("{% set __debug__ = 1 %}", 1),
        ("{{ " + "(" * 500 + ")" * 500 + " }}", 1),
        ("{{ " + "-" * 20_000 + "1 }}", 1),
        ("{{ " + "1+" * 20_000 + "1 }}", 1),
        ("{{ x" + ".a" * 20_000 + " }}", 1),
        ("{{ " + "9" * 5000 + " }}", 1),
    ],
)
def test_mistakes_in_python(source, line):
    error = refused(source)
    assert (error.filename, error.lineno) == ("t.html", line)


def test_too_many_blocks_within_each_other():
    deepest = "{% if 1 %}" * MAX_DEPTH + "x" + "{% end %}" * MAX_DEPTH
    assert Template(deepest).generate() == b"x"
    with pytest.raises(ParseError, match=f"more than {MAX_DEPTH} blocks"):
        Template("{% if 1 %}" + deepest + "{% end %}")
    # Python has a smaller limit for loops.
    with pytest.raises(ParseError, match="too many statically nested blocks"):
        Template("{% for i in x %}" * 50 + "{% end %}" * 50)


def test_a_long_chain_of_branches():
    count = 3000
    source = (
        "{% if x == 0 %}0" + "".join([f"{{% elif x == {i} %}}{i}" for i in range(1, count)]) + "{% end %}"
    )
    # Each is one level deeper to Python, and how many it takes depends on its version.
    found = attempt(source)
    if isinstance(found, ParseError):
        assert found.message == "invalid Python: too deeply nested"
    else:
        assert found.generate(x=count - 1) == str(count - 1).encode()


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [(b"a\n\xff", 2, "not UTF-8"), ("a\n\ud800", 2, "lone surrogate"), (b"\n\n\xc3", 3, "not UTF-8")],
)
def test_text_that_is_none(source, line, message):
    with pytest.raises(ParseError) as caught:
        Template(source)
    assert (caught.value.message, caught.value.lineno) == (message, line)


def test_parse_error_of_old():
    error = ParseError("asdf")
    assert str(error) == "asdf at None:0"
    assert (error.message, error.filename, error.lineno) == ("asdf", None, 0)


def test_trees_are_shared_and_stay_as_they_are():
    loader = DictLoader({"part": "\n\n{{ x }}{% for x in y %}{{ x }}{% end %}", "page": "{% include part %}"})
    part = loader.load("part")
    before = [
        ast.dump(node.value, include_attributes=True)
        for node in part.file.body
        if hasattr(node, "value") and isinstance(node.value, ast.AST)
    ]
    loader.load("page")
    after = [
        ast.dump(node.value, include_attributes=True)
        for node in part.file.body
        if hasattr(node, "value") and isinstance(node.value, ast.AST)
    ]
    assert before == after


def test_python_has_the_places_it_has_in_the_template():
    file = Parser("a\n  ä{{ f(\n  b) }}\n{% if  c %}{% end %}", "t", None, "all").parse()
    output = next(node for node in file.body if hasattr(node, "escaped")).value
    assert (output.lineno, output.col_offset, output.end_lineno, output.end_col_offset) == (2, 7, 3, 4)
    assert (output.args[0].lineno, output.args[0].col_offset) == (3, 2)
    condition = next(node for node in file.body if hasattr(node, "branches")).branches[0][0]
    assert (condition.lineno, condition.col_offset) == (4, 7)


MARKS = ["{{", "}}", "{%", "%}", "{#", "#}", "{", "!", " ", "\n", "\r", "\x0c", "\t", "\0", "\ud800", "ä"]
SIGNS = [":", ";", "#", "\\", "(", ")", "[", "]", "'", '"', ",", "=", "*", ".", "x", "y", "1"]
WORDS = [
    "if",
    "elif",
    "else",
    "for",
    "in",
    "while",
    "try",
    "except",
    "finally",
    "end",
    "set",
    "raw",
    "module",
]
WORDS += ["apply", "block", "include", "extends", "autoescape", "whitespace", "import", "from", "break", "as"]
WORDS += [
    "continue",
    "comment",
    "yield",
    "await",
    "lambda:",
    "return",
    "xhtml_escape",
    "None",
    "del",
    "t.html",
]
TAGS = [
    "if x",
    "for x in y",
    "try",
    "except",
    "finally",
    "else",
    "end",
    "set x = 1",
    "apply x",
    "block x",
    "raw x",
]
PIECES = st.sampled_from(
    MARKS + SIGNS + [f"{word} " for word in WORDS] + [f"{{% {tag} %}}" for tag in TAGS] + ["{{ x }}"]
)


def attempt(source, **files):
    """The template or what is wrong with it. What else is raised fails the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return DictLoader({"t.html": source, **files}).load("t.html")
        except (ParseError, KeyError) as error:
            return error


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join))
@example("{{ x\r}}")
@example("{% for\r\nx in\ry %}{% end %}")
def test_any_text_is_compiled_or_refused(source):
    found = attempt(source, x="{{ x }}")
    if isinstance(found, ParseError):
        assert found.filename is not None
        assert 1 <= found.lineno <= source.count("\n") + 1
    elif isinstance(found, KeyError):
        # A file that is not there.
        assert "include" in source or "extends" in source
    else:
        assert found.code.startswith("def template(")
        # Whoever shows a traceback reads this.
        assert found._listing.get_source("t").count("\n") >= source.count("\n") + 1


@settings(max_examples=200, deadline=None)
@given(
    st.text(),
    st.sampled_from(["{{%s}}", "{%% if %s %%}{%% end %%}", "{%% set %s %%}", "{%% for %s %%}{%% end %%}"]),
)
def test_any_python_is_compiled_or_refused(text, around):
    found = attempt(around % text)
    if isinstance(found, ParseError):
        assert 1 <= found.lineno <= text.count("\n") + 1
    else:
        assert isinstance(found, Template)
