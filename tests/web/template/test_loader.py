"""Several files together: loaders, including, extending."""

import os
import threading

import pytest

from eyewall.web.template import BaseLoader, DictLoader, Loader, ParseError, Template


def render(files, name, /, **variables):
    return DictLoader(files).load(name).generate(**variables)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("page", b"[P]"),
        ("nested", b"[<n>]"),
        ("outer", b"[(I)]"),
        ("inner", b"[<qi>]"),
        ("other", b"[<z>]"),
        ("doubled", b"DD"),
        ("twice", b"LL"),
        ("through", b"F"),
        ("unasked", b"1"),
        ("conditional", b"C"),
        ("looping", b"12"),
        ("nothing", b"1"),
    ],
)
def test_inheritance(name, expected):
    files = {
        "base": "[{% include inc %}]",
        "inc": "{% block a %}A{% end %}",
        "page": "ignored{% extends base %}{% block a %}P{% end %}",
        "nest": "[{% block o %}({% block i %}i{% end %}){% end %}]",
        "nested": "{% extends nest %}{% block o %}<n>{% end %}",
        "outer": "{% extends nest %}{% block i %}I{% end %}",
        "inner": "{% extends outer %}{% block o %}<{% block i %}qi{% end %}>{% end %}",
        "other": "{% extends outer %}{% block o %}<{% block z %}z{% end %}>{% end %}",
        "double": "{% block a %}1{% end %}{% block a %}2{% end %}",
        "doubled": "{% extends double %}{% block a %}D{% end %}",
        "twice": "{% extends double %}{% block a %}K{% end %}{% block a %}L{% end %}",
        "one": "{% block a %}1{% end %}",
        "from": "{% block a %}F{% end %}",
        "through": "{% extends one %}{% include from %}",
        "unasked": "{% extends one %}{% block zz %}Z{% end %}",
        "conditional": "{% extends one %}{% if 0 %}{% block a %}C{% end %}{% end %}",
        "loop": "{% for i in (1, 2) %}{% block a %}{% end %}{% end %}",
        "looping": "{% extends loop %}{% block a %}{{ i }}{% end %}",
        "nothing": "{% extends one %}",
    }
    assert render(files, name) == expected


def test_extends_example():
    files = {
        "base.html": "<title>{% block title %}default title{% end %}</title>\n"
        "<body>{% block body %}default body{% end %}</body>\n",
        "page.html": '{% extends "base.html" %}\n{% block title %}page title{% end %}\n'
        "{% block body %}page body{% end %}\n",
    }
    assert render(files, "page.html") == b"<title>page title</title>\n<body>page body</body>\n"


def test_what_stands_outside_of_blocks_does_not_run():
    files = {
        "base": "{% block a %}{% end %}",
        "page": "{% extends base %}{% set x = 1 %}{% block a %}{{ x }}{% end %}",
    }
    with pytest.raises(NameError):
        render(files, "page")


def test_included_files_share_the_variables():
    files = {"a": "{% set y = 1 %}{% include b %}{{ x }}", "b": "{% set x = y + 1 %}"}
    assert render(files, "a") == b"2"


def test_names_are_relative_to_the_file():
    files = {
        "a/1.html": "{% include '2.html' %}",
        "a/2.html": "{% include '../b/3.html' %}",
        "b/3.html": "ok",
    }
    assert render(files, "a/1.html") == b"ok"


def test_every_file_escapes_as_it_says():
    files = {
        "escaped": "{% autoescape xhtml_escape %}{{ x }}",
        "plain": "{% autoescape None %}{{ x }}",
        "default": "{{ x }}",
        "all": "{% include escaped %} {% include plain %} {% include default %}",
        "escaped_block": "{% autoescape xhtml_escape %}{% block b %}base {{ x }}{% end %}",
        "plain_block": "{% autoescape None %}{% block b %}base {{ x }}{% end %}",
        "escaped_extends": "{% autoescape xhtml_escape %}{% extends plain_block %}",
        "escaped_overrides": "{% extends plain_block %}{% autoescape xhtml_escape %}"
        "{% block b %}{{ x }}{% end %}",
        "plain_extends": "{% autoescape None %}{% extends escaped_block %}",
        "plain_overrides": "{% autoescape None %}{% extends escaped_block %}{% block b %}{{ x }}{% end %}",
    }
    printed = {name: render(files, name, x="<") for name in files}
    assert printed["all"] == b"&lt; < &lt;"
    assert DictLoader(files, autoescape=None).load("all").generate(x="<") == b"&lt; < <"
    assert printed["escaped_extends"] == b"base <"
    assert printed["escaped_overrides"] == b"&lt;"
    assert printed["plain_extends"] == b"base &lt;"
    assert printed["plain_overrides"] == b"<"


@pytest.mark.parametrize(
    ("files", "chain"),
    [
        ({"a": "{% include a %}"}, "a -> a"),
        ({"a": "{% extends a %}"}, "a -> a"),
        ({"a": "{% include b %}", "b": "{% include c %}", "c": "{% include b %}"}, "b -> c -> b"),
        ({"a": "{% extends b %}", "b": "{% if 0 %}{% include a %}{% end %}"}, "a -> b -> a"),
        ({"a": "{% block x %}{% include b %}{% end %}", "b": "{% extends a %}"}, "a -> b -> a"),
    ],
)
def test_files_that_need_themselves(files, chain):
    loader = DictLoader(files)
    with pytest.raises(ParseError) as caught:
        loader.load("a")
    assert caught.value.message == f"template includes or extends itself: {chain}"
    # Nothing is left over: what is wrong is wrong again, and what is right is right.
    with pytest.raises(ParseError, match="itself"):
        loader.load("a")
    loader.dict["a"] = "fine"
    assert loader.load("a").generate() == b"fine"


def test_a_long_chain_of_files():
    files = {f"f{i}": f"{{% include f{i + 1} %}}" for i in range(20)} | {"f20": "end"}
    assert render(files, "f0") == b"end"
    files = {f"f{i}": f"{{% include f{i + 1} %}}" for i in range(2000)} | {"f2000": "end"}
    with pytest.raises(ParseError, match="too deeply nested"):
        render(files, "f0")


def test_files_that_do_not_fit():
    files = {
        "a": "x\n{% include b %}",
        "b": "{% extends c %}",
        "c": "",
        "loop": "{% for i in x %}{% include jump %}{% end %}",
        "jump": "{% break %}",
        "base": "{% block b %}{% end %}{% for i in x %}{% apply f %}{% block c %}{% end %}{% end %}{% end %}",
        "page": "{% extends base %}{% for i in x %}\n{% block b %}{% break %}{% end %}{% end %}",
        "page2": "{% extends base %}{% for i in x %}\n{% block c %}{% break %}{% end %}{% end %}",
    }
    for name, where, message in [
        ("a", ("a", 2), "b extends another template and cannot be included"),
        ("loop", ("jump", 1), "break outside"),
        ("page", ("page", 2), "break outside"),
        ("page2", ("page2", 2), "break outside"),
    ]:
        with pytest.raises(ParseError, match=message) as caught:
            render(files, name)
        assert (caught.value.filename, caught.value.lineno) == where


def test_templates_without_a_loader():
    for tag in ("include", "extends"):
        with pytest.raises(ParseError, match="no template loader") as caught:
            Template(f"\n{{% {tag} x %}}", name="t")
        assert (caught.value.filename, caught.value.lineno) == ("t", 2)


def test_missing_files_say_who_wanted_them():
    with pytest.raises(KeyError) as caught:
        render({"a": "{% include b %}", "b": "\n{% extends c %}"}, "a")
    assert caught.value.__notes__ == ["extends 'c' in b:2", "include 'b' in a:1"]


@pytest.mark.parametrize(
    ("name", "parent", "expected"),
    [
        ("x", None, "x"),
        ("x", "a/b", "a/x"),
        ("../x", "a/b", "x"),
        ("./x", "a/b", "a/x"),
        ("a//b", "c/d", "c/a/b"),
        ("/x", "a/b", "/x"),
        ("x", "/a/b", "x"),
        ("x", "<string>", "x"),
        ("../x", None, "../x"),
    ],
)
def test_resolving_names(name, parent, expected, tmp_path):
    assert DictLoader({}).resolve_path(name, parent) == expected
    assert Loader(tmp_path).resolve_path(name, parent) == expected


def test_resolving_names_that_leave(tmp_path):
    assert DictLoader({}).resolve_path("../../x", "a/b") == "../x"
    loader = Loader(tmp_path / "ab")
    assert loader.resolve_path("../../x", "a/b") == "../../x"
    # The name of a directory beside it begins like its own.
    assert loader.resolve_path("../../abc/x", "a/b") == "../../abc/x"


def test_files(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "tést.html").write_bytes("Hé  llo {% include sub/part.txt %}".encode())
    (tmp_path / "sub/part.txt").write_text("{{ x }}  {% include other.txt %}")
    (tmp_path / "sub/other.txt").write_text("!")
    loader = Loader(str(tmp_path))
    assert loader.root == str(tmp_path)
    template = loader.load("tést.html")
    assert template.generate(x="<") == "Hé llo &lt;  !".encode()
    assert loader.load("tést.html") is template
    assert sorted(loader.templates) == ["sub/other.txt", "sub/part.txt", "tést.html"]
    (tmp_path / "tést.html").write_text("new")
    assert loader.load("tést.html").generate(x="") != b"new"
    loader.reset()
    assert loader.load("tést.html").generate() == b"new"
    assert loader.load(os.path.join(tmp_path, "tést.html")).generate() == b"new"
    with pytest.raises(FileNotFoundError):
        loader.load("missing")
    with pytest.raises(IsADirectoryError):
        loader.load("sub")


def test_namespace():
    namespace = {"inc": lambda x: x + 1, "y": 1}
    loader = DictLoader({"t": "{{ inc(x) }}{{ y }}"}, namespace=namespace)
    assert loader.load("t").generate(x=5) == b"61"
    assert loader.load("t").generate(x=5, y=2) == b"62"
    assert loader.load("t").namespace is namespace


def test_a_loader_of_ones_own():
    class Upper(BaseLoader):
        def resolve_path(self, name, parent_path=None):
            return name.upper()

        def _create_template(self, name):
            return Template(
                f"{name} {{{{ x }}}}" if name == "B" else "{% include b %}", name=name, loader=self
            )

    loader = Upper()
    assert loader.load("a").generate(x="<") == b"B &lt;"
    assert sorted(loader.templates) == ["A", "B"]
    for call in (BaseLoader().load, BaseLoader().resolve_path, BaseLoader()._create_template):
        with pytest.raises(NotImplementedError):
            call("x")


def test_threads_compile_a_template_once():
    made = []

    class Slow(DictLoader):
        def _create_template(self, name):
            made.append(name)
            return super()._create_template(name)

    loader = Slow({"a": "{% include b %}" * 30, "b": "x"})
    start = threading.Barrier(4)
    pages = []

    def work():
        start.wait()
        pages.append(loader.load("a").generate())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pages == [b"x" * 30] * 4
    assert sorted(made) == ["a", "b"]
