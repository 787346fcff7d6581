"""What the documentation says is so: its code is that of the examples, its commands parse, its links lead
somewhere, its names exist, and its tables are complete.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import re
import shlex
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import click
import pytest
from click.testing import CliRunner

from eyewall.cli import main
from eyewall.cli.exits import ExitCode
from eyewall.cli.settings import Settings
from eyewall.guard.profile import activate, active

from .pages import GENERATED, ROOT, Fence, anchors, code_spans, fences, links, pages, table_rows

pytestmark = pytest.mark.one_build

PAGES = pages()
FENCES = [fence for page in PAGES for fence in fences(page)]
#: Kinds of blocks that are not Python and not commands: output, configurations of others.
OTHER_KINDS = {"", "json", "nginx", "ini", "yaml", "html"}
#: Variables of ours that no option of `eyewall run` sets.
VARIABLES = {
    "EYEWALL_PURE",
    "EYEWALL_LOOP",
    "EYEWALL_TARGET",
    "EYEWALL_BOUNDSCHECK",
    "EYEWALL_SANITIZE",
    "EYEWALL_EXPECT_BUILD",
    # Of broadcasts.
    "EYEWALL_IO_URING",
    # Of the doctor, which is no server's alone.
    "EYEWALL_DOCTOR",
}


@pytest.fixture(autouse=True)
def _profile_stays() -> Iterator[None]:
    """Importing `eyewall.tornado`, to see what is in it, is not to change the limits of other tests."""
    before = active()
    yield
    activate(before)


def where(value: object) -> str | None:
    return str(value) if isinstance(value, Fence) else None


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


# -- code ---------------------------------------------------------------------------------------------------


def excerpts(source: str, lines: int) -> Iterator[str]:
    """All runs of so many lines, each moved to the left margin."""
    split = source.splitlines()
    for start in range(len(split) - lines + 1):
        yield textwrap.dedent("\n".join(split[start : start + lines]))


def is_excerpt(text: str, source: str) -> bool:
    wanted = textwrap.dedent(text).rstrip("\n")
    return wanted in excerpts(source, wanted.count("\n") + 1)


#: Its code shows interfaces, not programs.
CONTRACTS = ROOT / "docs" / "design" / "contracts.md"
EXCERPTS = [
    fence
    for fence in FENCES
    if (fence.kind == "python" and fence.page != CONTRACTS) or fence.mark is not None
]


@pytest.mark.parametrize("fence", EXCERPTS, ids=where)
def test_an_excerpt_is_taken_from_an_example(fence: Fence) -> None:
    """Python always is one; what else says so, too."""
    assert fence.mark, "a comment before it must name the file: <!-- examples/name.py -->"
    assert fence.mark.startswith("examples/")
    source = (ROOT / fence.mark).read_text("utf-8")
    assert is_excerpt(fence.text, source), f"{fence} is not in {fence.mark}"


def test_an_excerpt_is_told_from_what_is_none() -> None:
    source = "class A:\n    def f(self):\n        return 1\n\n    x = 2\n"
    assert is_excerpt("def f(self):\n    return 1\n", source)
    assert is_excerpt("    def f(self):\n        return 1\n", source)
    assert not is_excerpt("def f(self):\n    return 2\n", source)
    assert not is_excerpt("def f(self):\n    x = 2\n", source)


@pytest.mark.parametrize("fence", FENCES, ids=where)
def test_a_block_is_of_a_kind_that_is_checked(fence: Fence) -> None:
    assert fence.kind in {"python", "console", *OTHER_KINDS}


# -- commands -----------------------------------------------------------------------------------------------


def commands() -> Iterator[tuple[str, str]]:
    """What a reader may type, with where it stands: lines that begin with `$`, and what systemd is to start."""
    for fence in FENCES:
        for line in fence.text.splitlines():
            typed = re.match(r"\$ (.+)|ExecStart=(.+)", line)
            if typed is not None:
                yield typed[1] or typed[2], str(fence)
    for page in PAGES:
        for span in code_spans(page):
            if re.match(r"(eyewall|make) [a-z]", span):
                yield span, name_of(page)


COMMANDS = sorted(set(commands()))


@pytest.mark.parametrize(("command", "place"), [each for each in COMMANDS if "eyewall " in each[0]])
def test_a_command_parses(command: str, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(command.partition(" > ")[0], comments=True)
    if Path(words[0]).name != "eyewall":
        pytest.skip("another program's")
    given: list[Settings] = []

    def serve(settings: Settings) -> ExitCode:
        given.append(settings)
        return ExitCode.DONE

    run_module = importlib.import_module("eyewall.cli.run")
    monkeypatch.setattr(run_module, "serve", serve)
    if ">" in words:
        # The shell's part.
        words = words[: words.index(">")]
    if "=" in words[0]:
        # The shell's as well.
        words = list(itertools.dropwhile(lambda word: "=" in word, words))
    if len(words) > 2 and words[1] == "run" and words[2] == "--processes":
        # The configuration of the project that the page is about names what is served.
        words.insert(2, "examples/hello.py")
    if len(words) == 2 or words[2:3] == ["--reload"]:
        # The command alone, in a sentence.
        words = [*words[:2], "--help"]
    elif words[1] != "run":
        # It would do it.
        parse(main, ["1" if word == "PID" else word for word in words[1:]])
        return
    elif words[2] == "TARGET":
        words[2] = "examples/hello.py"
    result = CliRunner().invoke(main, words[1:], prog_name="eyewall")
    assert result.exit_code == 0, f"{place}: {command}\n{result.output}"
    if given and given[0].target.startswith("examples/"):
        assert (ROOT / given[0].target.partition(":")[0]).is_file()


def parse(command: click.Command, words: list[str], parent: click.Context | None = None) -> None:
    """Parses `words` as the command line of `command`, without doing what they say. Raises UsageError."""
    try:
        context = command.make_context(command.name, list(words), parent)
    except click.MissingParameter:
        # The command alone, in a sentence.
        assert not words
        return
    if isinstance(command, click.Group):
        _, inner, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert inner is not None
        parse(inner, rest, context)


def test_commands_are_found() -> None:
    assert any(command.startswith("eyewall run examples/hello.py") for command, _ in COMMANDS)
    assert any("/bin/eyewall run" in command for command, _ in COMMANDS)


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for command, place in COMMANDS:
        words = shlex.split(command, comments=True)
        if words[0] == "make":
            for word in words[1:]:
                variable, sets, _ = word.partition("=")
                known = rf"^{re.escape(variable)} *\?=" if sets else rf"^{re.escape(word)}:"
                assert re.search(known, makefile, re.M), f"{place}: make {word}"


def test_files_that_commands_name_exist() -> None:
    for command, place in COMMANDS:
        for word in shlex.split(command, comments=True):
            if word.startswith("examples/"):
                assert (ROOT / word.partition(":")[0]).is_file(), f"{place}: {word}"


# -- links --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if re.match("[a-z]+:", link):
            assert link.startswith("https://"), link
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / unquote(path)).resolve() if path else page
        assert target.is_relative_to(ROOT), link
        if target in GENERATED:
            continue
        assert target.exists(), f"{link} leads nowhere"
        if anchor:
            assert anchor in anchors(target), f"{link}: there is {sorted(anchors(target))}"


def test_every_page_is_linked_from_the_readme() -> None:
    readme = ROOT / "README.md"
    reached: set[Path] = set()
    left = [readme]
    while left:
        page = left.pop()
        if page not in reached:
            reached.add(page)
            targets = [(page.parent / link.partition("#")[0]).resolve() for link in links(page)]
            # Pages of a folder are linked from the page about all of them.
            left += [target for target in targets if target.suffix == ".md" and target.is_file()]
            reached |= GENERATED.intersection(targets)
    assert set(PAGES) <= reached
    assert reached >= GENERATED


# -- names --------------------------------------------------------------------------------------------------


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        try:
            for part in parts[count:]:
                found = getattr(found, part)
        except AttributeError:
            return False
        return True
    return False


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_our_names_exist(page: Path) -> None:
    for span in code_spans(page):
        # The file of configuration is no module.
        for name in re.findall(r"(?<![\w./-])eyewall(?!\.toml\b)(?:\.[A-Za-z_]\w*)+(?![\w.*/])", span):
            assert resolves(name), name


def options() -> dict[str, click.Option]:
    command = importlib.import_module("eyewall.cli.run").run
    return {
        name: option
        for option in command.params
        if isinstance(option, click.Option)
        for name in (*option.opts, *option.secondary_opts)
    }


def all_options(command: click.Command, context: click.Context) -> set[str]:
    """Of `command` and of all commands within it."""
    found = {
        name
        for option in command.params
        if isinstance(option, click.Option)
        for name in (*option.opts, *option.secondary_opts)
    }
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            found |= all_options(inner, context)
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_options_exist(page: Path) -> None:
    known = all_options(main, click.Context(main)) | {"--help", "--previous", "--strict"}
    # Those of the plugin of pytest.
    known |= {"--eyewall-doctor", "--eyewall-doctor-threshold"}
    for span in code_spans(page):
        for name in re.findall(r"(?<!\S)--[a-z][a-z-]+", span):
            assert name in known, name


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_variables_exist(page: Path) -> None:
    known = VARIABLES | {"EYEWALL_" + name.lstrip("-").upper().replace("-", "_") for name in options()}
    for name in re.findall(r"EYEWALL_[A-Z_]*[A-Z]", page.read_text("utf-8")):
        assert name in known, name


# -- tables -------------------------------------------------------------------------------------------------


def test_the_table_of_options_is_complete() -> None:
    told: dict[str, str] = {}
    for cells in table_rows(ROOT / "docs" / "server.md"):
        for name in re.findall("`(-[a-z-]+)`", cells[0]):
            assert name not in told, name
            told[name] = cells[1]
    known = options()
    assert set(told) == set(known) - {"-h", "--help"}
    for name, default in told.items():
        option = known[name]
        if option.is_flag and isinstance(option.default, bool):
            assert default == ("yes" if option.default else "no"), name
        elif isinstance(option.default, str | int) and not isinstance(option.default, bool):
            assert default == f"`{option.default}`", name


def test_the_table_of_exit_codes_is_complete() -> None:
    told = {int(cells[0]) for cells in table_rows(ROOT / "docs" / "server.md") if cells[0].isdigit()}
    assert told == {int(code) for code in ExitCode}


def test_the_table_of_settings_is_complete() -> None:
    """Every setting that the web layer asks for is told, and no other."""
    told: set[str] = set()
    for cells in table_rows(ROOT / "docs" / "web.md"):
        told.update(re.findall("`([a-z_]+)`", cells[0]))
    asked: set[str] = set()
    pattern = re.compile(
        r"""settings(?:\.get|\.setdefault)?[(\[]"([a-z_]+)"|"([a-z_]+)" in (?:self\.)?settings"""
    )
    for source in (ROOT / "src" / "eyewall" / "web").rglob("*.py"):
        for found in pattern.findall(source.read_text("utf-8")):
            asked.update(filter(None, found))
    # Set for programs that read it, and read by nobody here.
    assert told == asked | {"static_hash_cache", "default_handler_args"}


def test_the_table_of_compiled_modules_is_complete() -> None:
    told: list[str] = []
    for cells in table_rows(ROOT / "docs" / "design" / "architecture.md"):
        told += re.findall(r"`(eyewall\.[a-z0-9_.]+)`", cells[0])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert sorted(told) == sorted(project["tool"]["eyewall-build"]["compiled"])


def test_the_layers_are_those_that_are_enforced() -> None:
    from tests.test_layers import LAYERS

    told: list[str] = []
    for cells in table_rows(ROOT / "docs" / "design" / "architecture.md"):
        told += re.findall("`([a-z]+)`", cells[0])
    assert tuple(told) == LAYERS


def test_every_module_of_tornado_is_there() -> None:
    """As the page on moving says."""
    package = importlib.import_module("eyewall.tornado")
    platforms = [f"platform.{name}" for name in ("asyncio", "caresresolver", "twisted")]
    for name in [*package.__all__, *platforms]:
        assert importlib.util.find_spec(f"eyewall.tornado.{name}") is not None, name
