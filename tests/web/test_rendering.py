"""Pages made by handlers: `render`, `render_string`, and what UI modules add to them."""

import gc
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from eyewall.base.escape import xhtml_escape
from eyewall.web.locale import CSVLocale
from eyewall.web.rendering import RenderingMixin
from eyewall.web.template import BaseLoader, DictLoader, Loader, ParseError
from eyewall.web.uimodules import TemplateModule, UIModule, load_ui


class Application:
    def __init__(self, modules=None, methods=None, **settings):
        self.settings = settings
        self.ui_modules, self.ui_methods = load_ui(modules, methods)


class Handler(RenderingMixin):
    """The rest of a handler, as far as rendering needs it."""

    _finished = False
    current_user = "<ada>"
    locale = CSVLocale("en_US", {"unknown": {"hello": "bonjour"}})

    def __init__(self, application):
        self.application = application
        self.request = SimpleNamespace(path="/p")
        self.body = None

    def finish(self, chunk):
        self.body = chunk
        self._finished = True
        return "sent"

    def static_url(self, path):
        return f"/static/{path}?v=1"

    def reverse_url(self, name, *args):
        return f"/{name}/{'/'.join(args)}"

    def xsrf_form_html(self):
        return '<input name="_xsrf"/>'


def handler(files, modules=None, methods=None, kind=Handler, **settings):
    return kind(Application(modules, methods, template_loader=DictLoader(files), **settings))


def rendered(files, modules=None, **variables):
    made = handler(files, modules)
    assert made.render("page", **variables) == "sent"
    return made.body


# -- templates ----------------------------------------------------------------------------------------------


def test_render_finishes_with_the_page():
    made = handler({"page": "<b>{{ x }}</b>"})
    assert made.render("page", x="<") == "sent"
    assert made.body == b"<b>&lt;</b>"
    with pytest.raises(RuntimeError, match=r"Cannot render\(\) after finish\(\)"):
        made.render("page", x="<")


def test_render_string_returns_it():
    made = handler({"page": "{{ x }}"})
    assert made.render_string("page", x="<") == b"&lt;"
    assert made.body is None
    with pytest.raises(ParseError):
        handler({"page": "{{"}).render_string("page")
    with pytest.raises(KeyError):
        made.render_string("missing")


def test_names_in_templates():
    files = {
        "page": "{{ handler.request is request }} {{ request.path }} {{ current_user }} {{ locale.code }} "
        "{{ _('hello') }} {{ static_url('a.js') }} {{ reverse_url('item', '1') }} {% raw xsrf_form_html() %}"
    }
    assert rendered(files) == (
        b"True /p &lt;ada&gt; en_US bonjour /static/a.js?v=1 /item/1 " + b'<input name="_xsrf"/>'
    )
    assert rendered({"page": "{{ pgettext('menu', 'hello') }}{{ handler }}"}, handler=1) == b"bonjour1"


def test_more_names():
    class More(Handler):
        def get_template_namespace(self):
            return super().get_template_namespace() | {"extra": 5}

    assert handler({"page": "{{ extra }}{{ request.path }}"}, kind=More).render_string("page") == b"5/p"

    class Fewer(Handler):
        def get_template_namespace(self):
            return self.ui

    files = {"page": "{{ m(1) }}{% module linkify('www.x.org') %}"}
    fewer = handler(files, methods={"m": lambda handler, x: x + 1}, kind=Fewer)
    assert fewer.render_string("page").startswith(b"2<a href=")


def test_settings_reach_the_loader(tmp_path):
    (tmp_path / "page.html").write_text("  {{ '<' }}\n\n")

    def page(**settings):
        return Handler(Application(template_path=str(tmp_path), **settings)).render_string("page.html")

    assert page() == b" &lt;\n"
    assert page(autoescape=None) == b" <\n"
    assert page(autoescape="url_escape") == b" %3C\n"
    assert page(template_whitespace="oneline") == b" &lt; "
    assert page(template_whitespace="all") == b"  &lt;\n\n"


def test_templates_beside_the_file_that_renders(tmp_path):
    (tmp_path / "views").mkdir()
    (tmp_path / "views/page.html").write_text("{% module Shown() %} {% module Template('page2.html') %}")
    (tmp_path / "views/page2.html").write_text("beside")
    source = tmp_path / "views/views.py"
    source.write_text(
        "def show(handler):\n    return handler.render_string('page.html')\n"
        "class Shown(UIModule):\n    def render(self):\n        return self.render_string('page2.html')\n"
    )
    module = {"__name__": "views", "UIModule": UIModule}
    exec(compile(source.read_text(), str(source), "exec"), module)
    made = Handler(Application(modules={"Shown": module["Shown"]}))
    assert module["show"](made) == b"beside beside"
    assert Path(made.create_template_loader("x").root).name == "x"


def test_loaders_are_kept_by_application_and_path(tmp_path):
    calls = []

    class Counting(Handler):
        path = str(tmp_path)

        def get_template_path(self):
            return self.path

        def create_template_loader(self, template_path):
            calls.append(template_path)
            return DictLoader({"page": "x"})

    one, two = Application(), Application()
    for application in (one, one, two):
        assert Counting(application).render_string("page") == b"x"
    other = Counting(one)
    other.path = "other"
    assert other.render_string("page") == b"x"
    assert calls == [str(tmp_path), str(tmp_path), "other"]

    class Another(Counting):
        def create_template_loader(self, template_path):
            return DictLoader({"page": "y"})

    # What one class overrides does not answer for another on the same path.
    assert Another(one).render_string("page") == b"y"
    assert Counting(one).render_string("page") == b"x"


def test_loaders_go_with_their_application():
    application = Application(template_loader=DictLoader({"page": "x"}))
    Handler(application).render_string("page")
    assert application in RenderingMixin._template_loaders
    kept = len(RenderingMixin._template_loaders)
    del application
    gc.collect()
    assert len(RenderingMixin._template_loaders) < kept
    RenderingMixin._template_loaders.clear()
    assert rendered({"page": "again"}) == b"again"


@pytest.mark.parametrize(("settings", "second"), [({}, b"old"), ({"compiled_template_cache": False}, b"new")])
def test_compiled_template_cache(settings, second):
    loader = DictLoader({"page": "{% include part %}", "part": "old"})
    application = Application(template_loader=loader, **settings)
    first = Handler(application)
    assert first.render_string("page") == b"old"
    loader.dict["part"] = "new"
    # One request sees one version, whatever it renders.
    assert first.render_string("page") == b"old"
    assert Handler(application).render_string("page") == second


def test_threads_share_a_loader():
    made = []

    class Slow(Handler):
        def create_template_loader(self, template_path):
            start.wait()
            made.append(DictLoader({"page": "x"}))
            return made[-1]

    start = threading.Barrier(2)
    application = Application(template_path="p")
    used = []
    threads = [threading.Thread(target=lambda: used.append(Slow(application)._loader("p"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 2
    assert used[0] is used[1]


def test_the_default_loader_reads_files(tmp_path):
    loader = Handler(Application()).create_template_loader(str(tmp_path))
    assert isinstance(loader, Loader)
    assert (loader.root, loader.autoescape, loader.whitespace) == (str(tmp_path), "xhtml_escape", None)
    own = BaseLoader()
    assert Handler(Application(template_loader=own)).create_template_loader("x") is own


def test_handlers_do_not_import_the_template_engine():
    code = (
        "import sys, eyewall.web.rendering, eyewall.web.uimodules, eyewall.web.localization\n"
        "print([m for m in ('ast', 'eyewall.web.template', 'eyewall.web.locale_names') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_rendering_leaves_nothing_to_the_collector():
    made = handler({"page": "{% module linkify(x) %}{% module Template('p') %}{{ x }}", "p": "x"})
    made.render("page", x="x")
    gc.collect()
    gc.disable()
    try:
        gone = threading.Event()
        made.request.gone = type("Last", (), {"__del__": lambda self: gone.set()})()
        del made
        assert gone.is_set()
    finally:
        gc.enable()


# -- UI methods and modules ---------------------------------------------------------------------------------


class Full(UIModule):
    def render(self, *args):
        return f"<full {args}>"

    def embedded_javascript(self):
        return "js()"

    def javascript_files(self):
        return ["/1.js", "2.js", "/1.js"]

    def embedded_css(self):
        return b"css {}"

    def css_files(self):
        return '/1.css?"&'

    def html_head(self):
        return "<meta>"

    def html_body(self):
        return "<p/>"


class Half(Full):
    def javascript_files(self):
        return "https://x.org/3.js"

    def embedded_css(self):
        return None

    def css_files(self):
        return []


def test_methods_get_the_handler():
    def method(handler, x, y=1):
        return f"{handler.request.path} {x} {y}"

    made = handler({"page": "{{ method(2) }} {{ method('<', y=3) }}"}, methods={"method": method})
    assert made.render_string("page") == b"/p 2 1 /p &lt; 3"
    assert made.ui.method(5) == made.ui["method"](5) == "/p 5 1"


def test_modules_are_printed_raw_and_made_once():
    made = []

    class Entry(UIModule):
        def __init__(self, handler):
            super().__init__(handler)
            made.append(self)

        def render(self, entry, big=False):
            return f"<i>{entry}{big}</i>"

    files = {"page": "{% module Entry(1) %}{% module Entry(2, big=True) %}{% raw modules.Entry(3) %}"}
    used = handler(files, {"Entry": Entry})
    assert used.render_string("page") == b"<i>1False</i><i>2True</i><i>3False</i>"
    assert len(made) == 1
    assert made[0].handler is used
    assert made[0].request is used.request
    assert made[0].locale is used.locale
    assert made[0].current_user == "<ada>"
    assert made[0].ui.modules.Entry(4) == "<i>4False</i>"


def test_modules_do_not_ask_for_the_user():
    class Lazy(Handler):
        @property
        def current_user(self):
            raise AssertionError

        def get_template_namespace(self):
            return self.ui

    assert handler({"page": "{% module linkify('x') %}"}, kind=Lazy).render_string("page") == b"x"


def test_builtin_modules():
    files = {"page": "{% module linkify('http://x.org <') %}{% module xsrf_form_html() %}"}
    assert rendered(files) == b'<a href="http://x.org">http://x.org</a> &lt;<input name="_xsrf"/>'


def test_unknown_modules():
    made = handler({"page": "{% module Nope() %}"})
    with pytest.raises(AttributeError, match="no UI module is named 'Nope'"):
        made.render_string("page")
    with pytest.raises(KeyError):
        made.ui.modules["Nope"]
    with pytest.raises(AttributeError):
        made.ui.nope  # noqa: B018


def test_a_module_that_defines_nothing():
    module = UIModule(handler({}))
    with pytest.raises(NotImplementedError):
        module.render()
    assert module.embedded_javascript() is module.embedded_css() is module.html_head() is None
    assert module.javascript_files() is module.css_files() is module.html_body() is None


def test_what_modules_need_is_put_into_the_page_once():
    page = (
        "<html><head>H</head><body>{% module Full() %}{% module Half(1) %}{% module Full(2) %}</body></html>"
    )
    assert rendered({"page": page}, {"Full": Full, "Half": Half}).decode() == (
        "<html><head>H"
        '<link href="/1.css?&quot;&amp;" type="text/css" rel="stylesheet"/>\n'
        '<style type="text/css">\ncss {}\n</style>\n'
        "<meta><meta>\n"
        "</head><body><full ()><full (1,)><full (2,)>"
        '<script src="/1.js" type="text/javascript"></script>'
        '<script src="/static/2.js?v=1" type="text/javascript"></script>'
        '<script src="https://x.org/3.js" type="text/javascript"></script>\n'
        '<script type="text/javascript">\n//<![CDATA[\njs()\njs()\n//]]>\n</script>\n'
        "<p/><p/>\n"
        "</body></html>"
    )


def test_only_a_whole_page_gets_them():
    made = handler({"page": "<head></head>{% module Full() %}<body></body>"}, {"Full": Full})
    assert made.render_string("page") == b"<head></head><full ()><body></body>"


def test_pages_without_modules_stay_as_they_are():
    assert rendered({"page": "<head></head><body></body>"}, {"Full": Full}) == b"<head></head><body></body>"
    assert rendered({"page": "no tags {% module linkify('x') %}"}) == b"no tags x"


@pytest.mark.parametrize(
    ("page", "tag"),
    [("{% module Full() %}</body>", "</head>"), ("<head></head>{% module Full() %}", "</body>")],
)
def test_pages_with_no_place_for_them(page, tag):
    with pytest.raises(ValueError, match=f"no {tag} to put them before"):
        rendered({"page": page}, {"Full": Full})


def test_the_first_head_and_the_last_body():
    page = "<head></head>{% module Full() %}</body></head><body></body>!"
    body = rendered({"page": page}, {"Full": Full})
    assert body.startswith(b"<head><link")
    assert body.endswith(b"<p/>\n</body>!")
    assert body.count(b"<link") == body.count(b"<p/>") == 1


def test_how_resources_are_linked_can_be_overridden():
    class Own(Handler):
        def render_linked_js(self, js_files):
            return f"[{','.join(js_files)}]"

        def render_embed_js(self, js_embed):
            return b"[" + b",".join(js_embed) + b"]"

        def render_linked_css(self, css_files):
            return f"[{xhtml_escape(','.join(css_files))}]"

        def render_embed_css(self, css_embed):
            return b"[" + b",".join(css_embed) + b"]"

    made = handler({"page": "<head></head><body>{% module Full() %}</body>"}, {"Full": Full}, kind=Own)
    made.render("page")
    assert made.body == (
        b"<head>[/1.css?&quot;&amp;]\n[css {}]\n<meta>\n</head>"
        b"<body><full ()>[/1.js,2.js]\n[js()]\n<p/>\n</body>"
    )


# -- templates as modules -----------------------------------------------------------------------------------


def test_template_modules():
    files = {
        "page": "<html><head></head><body>\n{% for e in entries %}\n"
        '{% module Template("entry.html", entry=e) %}\n{% end %}\n</body></html>',
        "entry.html": '{{ set_resources(embedded_css=".entry { margin-bottom: 1em; }",\n'
        'embedded_javascript="js_embed()", css_files=["/base.css", "/foo.css"],\n'
        'javascript_files="/common.js", html_head="<meta>",\n'
        'html_body=\'<script src="/analytics.js"/>\') }}\n<div class="entry">...</div>',
    }
    assert rendered(files, entries=[1, 2]).decode() == (
        '<html><head><link href="/base.css" type="text/css" rel="stylesheet"/>'
        '<link href="/foo.css" type="text/css" rel="stylesheet"/>\n'
        '<style type="text/css">\n.entry { margin-bottom: 1em; }\n</style>\n<meta>\n</head><body>\n\n'
        '\n<div class="entry">...</div>\n\n\n<div class="entry">...</div>\n\n'
        '<script src="/common.js" type="text/javascript"></script>\n'
        '<script type="text/javascript">\n//<![CDATA[\njs_embed()\n//]]>\n</script>\n'
        '<script src="/analytics.js"/>\n</body></html>'
    )


def test_template_modules_have_names_of_their_own():
    files = {
        "page": "{% set x = 1 %}{% module Template('part', y=2) %}",
        "part": "{{ y }}{{ 'x' in globals() }}",
    }
    assert rendered(files) == b"2False"


def test_resources_of_several_templates():
    files = {
        "page": "<head></head><body>{% module Template('a') %}{% module Template('b') %}</body>",
        "a": "{{ set_resources(embedded_css='a', css_files='/a', html_head=b'<a>') }}",
        "b": "{{ set_resources(embedded_css=b'b', css_files=['/b', '/a']) }}",
    }
    assert rendered(files) == (
        b'<head><link href="/a" type="text/css" rel="stylesheet"/>'
        b'<link href="/b" type="text/css" rel="stylesheet"/>\n'
        b'<style type="text/css">\na\nb\n</style>\n<a>\n</head><body></body>'
    )


def test_resources_must_stay_the_same():
    files = {
        "page": "{% module Template('p', x=1) %}{% module Template('p', x=2) %}",
        "p": "{{ set_resources(embedded_css=str(x)) }}",
    }
    with pytest.raises(
        ValueError, match="set_resources called with different resources for the same template"
    ):
        rendered(files)


# -- settings -----------------------------------------------------------------------------------------------


def test_loading_modules_and_methods():
    source = ModuleType("ui")
    source.Entry = Full
    source.UIModule = UIModule
    source.method = lambda handler: 1
    source.Upper = source.constant = source._private = None
    source.Upper = source._private = source.method
    modules, methods = load_ui(source, source)
    assert modules["Entry"] is Full
    assert modules["Template"] is TemplateModule
    assert set(modules) == {"linkify", "xsrf_form_html", "Template", "Entry", "UIModule"}
    assert set(methods) == {"method"}
    modules, methods = load_ui(
        [source, {"More": Half, "Template": Full, "no": 5}], [source, {"len": len, "X": len}]
    )
    assert modules["More"] is Half
    assert modules["Template"] is Full
    assert set(methods) == {"method", "len"}
    assert load_ui(None, None)[1] == {}
    assert load_ui({}, [])[0].keys() == {"linkify", "xsrf_form_html", "Template"}
