"""The demo as a person uses it: in a browser, with keys and a mouse."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.conftest import LOOP_KINDS

from .browser import PHONE, Browser
from .site import Site

PAGES = ["/", "/break", "/chat", "/live", "/files", "/tasks", "/guestbook", "/nothing"]
WIDE = """
    return [...document.body.querySelectorAll("*")]
      .filter((each) => each.getBoundingClientRect().right > innerWidth + 1)
      .map((each) => `${each.tagName} ${each.className}`);
"""
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()

pytestmark = [pytest.mark.timeout(180), pytest.mark.one_build]


@pytest.fixture
def event_loop_kind() -> str:
    """One is enough: browsers don't know the other."""
    return LOOP_KINDS[-1]


# -- chat ---------------------------------------------------------------------------------------------------


def enter(browser: Browser) -> str:
    """Opens the chat as somebody new, and returns the name."""
    browser.forget()
    browser.open("/chat")
    browser.until(lambda: browser.text("#state") == "Connected", "the chat does not connect")
    return browser.text("#my-name")


def test_two_windows_talk_to_each_other(browser: Browser) -> None:
    ada = enter(browser)
    first = browser.window()
    bob = enter(browser)
    second = browser.page.current_window_handle
    browser.until(lambda: browser.text("#count") == "2", "the second does not see the first")
    browser.find("#text").send_keys("Hello from the second")
    browser.use(first)
    browser.until(lambda: browser.texts("#people li span:last-child") == sorted([f"{ada} (you)", bob]))
    assert f"{bob} is here" in browser.texts("#log .notice")
    browser.until(lambda: browser.text("#typing") == f"{bob} is typing…", "nobody is seen typing")
    browser.use(second)
    browser.find("#text").send_keys(Keys.ENTER)
    browser.use(first)
    browser.until(lambda: browser.texts("#log .text") == ["Hello from the second"])
    browser.until(lambda: browser.text("#typing") == "")
    assert browser.texts("#log .from b") == [bob]
    browser.find("#text").send_keys("And hello back" + Keys.ENTER)
    browser.until(lambda: len(browser.all("#log .mine")) == 1)
    browser.use(second)
    browser.until(lambda: browser.texts("#log .text") == ["Hello from the second", "And hello back"])
    browser.page.close()
    browser.use(first)
    browser.until(lambda: browser.text("#count") == "1")
    assert f"{bob} has left" in browser.texts("#log .notice")
    assert browser.find("#log").get_attribute("aria-live") == "polite"


def test_markup_in_the_chat_is_text(browser: Browser) -> None:
    enter(browser)
    attack = "<img src=x onerror=\"document.title='bad'\"><script>document.title='bad'</script>"
    browser.find("#text").send_keys(attack + Keys.ENTER)
    browser.until(lambda: browser.texts("#log .text") == [attack])
    assert browser.all("#log img, #log script") == []
    # Who comes later gets it from the history.
    browser.page.refresh()
    browser.until(lambda: browser.texts("#log .text") == [attack])
    assert browser.page.title == "Chat · Eyewall"


def test_a_new_name_is_seen_at_once(browser: Browser) -> None:
    enter(browser)
    browser.find("#who").send_keys(Keys.ENTER)
    field = browser.find("#new-name")
    browser.until(field.is_displayed)
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(Keys.BACKSPACE, Keys.ENTER)
    browser.expected.append("/api/name")
    browser.until(lambda: browser.text("#naming-problem") == "Please give a name.")
    field.send_keys("Ada Lovelace" + Keys.ENTER)
    browser.until(lambda: not field.is_displayed())
    assert browser.text("#my-name") == "Ada Lovelace"
    browser.until(lambda: browser.texts("#people li span:last-child") == ["Ada Lovelace (you)"])
    browser.find("#who").send_keys(Keys.ENTER)
    browser.until(field.is_displayed)
    field.send_keys(Keys.ESCAPE)
    browser.until(lambda: not field.is_displayed())
    assert browser.run("return document.activeElement.id") == "who"


def test_the_end_of_the_server_is_shown(browser: Browser, site: Site) -> None:
    browser.expected += ["/chat/socket", "ERR_CONNECTION_REFUSED"]
    enter(browser)
    site.stop()
    browser.until(lambda: "The server goes away" in browser.text("#state"))
    assert browser.find("#state").get_attribute("data-state") == "lost"


# -- live ---------------------------------------------------------------------------------------------------


def test_the_charts_move(browser: Browser) -> None:
    browser.open("/live")
    browser.until(lambda: browser.text("#state") == "Live")
    drawn = "return document.querySelector('[data-chart=memory] .line').getAttribute('d')"
    first = browser.until(lambda: browser.run(drawn))
    browser.until(lambda: browser.run(drawn).count("L") > first.count("L"), "the chart stands still")
    assert float(browser.text(".now[data-number=memory]")) > 5
    assert int(browser.text(".now[data-number=connections]")) >= 1
    label = browser.find("[data-chart=lag] svg").get_attribute("aria-label")
    assert label == "Loop lag ms, worst of each second, over the last two minutes"


def test_a_blocked_loop_is_seen_and_a_waiting_thread_is_answered(browser: Browser) -> None:
    browser.open("/live")
    browser.until(lambda: browser.text("#state") == "Live")
    browser.find("#block-loop").click()
    browser.until(lambda: browser.text("#outcome") == "The loop stood still for 400 ms.")
    browser.until(lambda: int(browser.text("[data-chart=lag] .top").replace(",", "") or 0) >= 350)


def test_traffic_is_counted(browser: Browser) -> None:
    browser.open("/live")
    browser.find("#traffic").click()
    assert browser.find("#traffic").get_attribute("aria-pressed") == "true"
    browser.until(
        lambda: int(browser.text(".now[data-number=requests]").replace(",", "").strip("–") or 0) > 10
    )
    browser.find("#traffic").click()
    assert browser.text("#traffic") == "Make traffic"


def test_the_first_page_shows_the_numbers(browser: Browser) -> None:
    browser.open("/")
    browser.until(lambda: "–" not in browser.texts("[data-number]"))
    browser.until(lambda: browser.run("return document.querySelector('.spark .line').getAttribute('d')"))


# -- files --------------------------------------------------------------------------------------------------


def test_an_upload_shows_how_far_it_is_and_is_listed(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "weather <b>report.bin"
    file.write_bytes(bytes(range(256)) * 16_000)
    browser.open("/files")
    browser.until(lambda: browser.text("#used-text") == "0 bytes of 256 MiB")
    # So slow that there is something to see.
    browser.network(upload=2_000_000)
    browser.run(
        """
        window.seen = [];
        new MutationObserver(() => {
          const bar = document.querySelector("#uploads progress");
          if (bar) window.seen.push(bar.value);
        }).observe(document.querySelector("#uploads"), { subtree: true, attributes: true, childList: true });
        """
    )
    browser.find("#pick").send_keys(str(file))
    browser.until(lambda: browser.texts("#items a") == [file.name], "the file does not get into the list")
    seen = browser.run("return window.seen")
    assert seen == sorted(seen)
    assert len({value for value in seen if 0 < value < 1}) >= 2, seen
    assert seen[-1] == 1
    browser.until(lambda: browser.all("#uploads li") == [])
    assert browser.text("#used-text") == "3.9 MiB of 256 MiB"
    assert browser.text("#news").endswith("is on the shelf.")
    browser.network()
    content = browser.page.execute_async_script(
        """
        const done = arguments[0];
        fetch(document.querySelector("#items a").href)
          .then((response) => response.arrayBuffer())
          .then((buffer) => done([buffer.byteLength, new Uint8Array(buffer)[1000]]));
        """
    )
    assert content == [4_096_000, 1000 % 256]
    browser.find("#items button").click()
    browser.until(lambda: browser.texts("#items a") == [])
    assert browser.text("#count") == "0"


def test_what_is_too_large_is_not_even_sent(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "huge.bin"
    with file.open("wb") as made:
        made.truncate(33 * 1024 * 1024)
    browser.open("/files")
    browser.find("#pick").send_keys(str(file))
    browser.until(lambda: browser.texts("#uploads .failed .about") == ["larger than 32 MiB"])
    browser.find("#uploads button").click()
    assert browser.all("#uploads li") == []


# -- tasks and guest book -----------------------------------------------------------------------------------


def test_tasks_are_added_done_chosen_and_removed(browser: Browser) -> None:
    browser.open("/tasks")
    browser.until(lambda: len(browser.all("#tasks li")) == 4)
    browser.find("#title").send_keys("Feed the <cat>" + Keys.ENTER)
    browser.until(lambda: browser.texts("#tasks li span")[0] == "Feed the <cat>")
    assert browser.find("#title").get_attribute("value") == ""
    browser.find("#tasks input").send_keys(Keys.SPACE)
    browser.until(lambda: browser.texts("#tasks .done span") == ["Feed the <cat>", "Start the demo"])
    browser.find("#filter input[value=true]").send_keys(Keys.SPACE)
    browser.until(lambda: len(browser.all("#tasks li")) == 2)
    browser.find("#tasks button").click()
    browser.until(lambda: browser.texts("#tasks li span") == ["Start the demo"])
    verbs = browser.texts("#wire b")
    assert {"GET", "POST", "PATCH", "DELETE"} <= set(verbs)
    browser.expected.append("/api/tasks")
    browser.find("#title").send_keys(Keys.ENTER)
    browser.until(lambda: browser.text("#problem") == "A task needs a title.")


def test_tasks_have_pages(browser: Browser) -> None:
    browser.open("/tasks")
    for number in range(6):
        browser.find("#title").send_keys(f"task {number}" + Keys.ENTER)
        browser.until(lambda number=number: f"task {number}" in browser.texts("#tasks li span"))
    assert browser.text("#where") == "Page 1 of 2"
    browser.find("#older").click()
    browser.until(lambda: browser.text("#where") == "Page 2 of 2")
    assert browser.texts("#tasks li span")[-1] == "Start the demo"
    browser.find("#newer").click()
    browser.until(lambda: browser.text("#where") == "Page 1 of 2")


def sign(browser: Browser, name: str, message: str) -> None:
    browser.find("#name").clear()
    browser.find("#name").send_keys(name)
    browser.find("#message").send_keys(message)
    browser.find(".sign button").click()


def test_the_guest_book_remembers_who_signs(browser: Browser) -> None:
    browser.open("/guestbook")
    attack = "<script>document.title='bad'</script>"
    sign(browser, "Grace Hopper", attack)
    browser.until(lambda: attack in browser.texts(".entry-text"))
    assert browser.page.title == "Guest book · Eyewall"
    assert browser.page.current_url.endswith("/guestbook")
    assert browser.texts(".entry b")[0] == "Grace Hopper"
    assert "ago" in browser.texts(".entry time")[0]
    browser.open("/tasks")
    assert browser.text("#my-name") == "Grace Hopper"
    cookie = browser.page.get_cookie("visitor")
    assert cookie is not None
    assert cookie["httpOnly"]
    assert "Grace" not in cookie["value"]


def test_the_guest_book_says_what_is_wrong(browser: Browser) -> None:
    browser.expected.append("/guestbook")
    browser.open("/guestbook")
    sign(browser, " ", "kept")
    browser.until(lambda: browser.text("#name-problem") == "Please give a name.")
    assert browser.find("#message").get_attribute("value") == "kept"
    assert browser.find("#name").get_attribute("aria-describedby") == "name-problem"


def test_the_guest_book_needs_no_script(browser: Browser) -> None:
    browser.command("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open("/guestbook")
        sign(browser, "Nobody", "Without any script")
        browser.until(lambda: "Without any script" in browser.page.page_source)
    finally:
        browser.command("Emulation.setScriptExecutionDisabled", value=False)


# -- every page ---------------------------------------------------------------------------------------------


def test_nothing_is_wider_than_a_phone(browser: Browser, tmp_path: Path) -> None:
    browser.expected.append("/nothing")
    word = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen"
    enter(browser)
    browser.find("#text").send_keys(word * 3 + Keys.ENTER)
    browser.until(lambda: len(browser.all("#log .text")) == 1)
    browser.open("/guestbook")
    sign(browser, word[:40], word * 3)
    browser.until(lambda: word * 3 in browser.page.page_source)
    browser.open("/tasks")
    browser.find("#title").send_keys((word * 3)[:200] + Keys.ENTER)
    browser.until(lambda: len(browser.all("#tasks li")) == 5)
    browser.open("/files")
    file = tmp_path / f"{word}.txt"
    file.write_text("x")
    browser.find("#pick").send_keys(str(file))
    browser.until(lambda: len(browser.all("#items a")) == 1)
    for size in (PHONE, (320, 640)):
        browser.resize(size)
        for path in PAGES:
            browser.open(path)
            if path == "/tasks":
                browser.until(lambda: len(browser.all("#tasks li")) == 5)
            for details in browser.all("details > summary"):
                browser.run("arguments[0].parentElement.open = true", details)
            width = browser.run("return document.documentElement.scrollWidth")
            assert width <= size[0], f"{path} is {width} wide on {size[0]}: {browser.run(WIDE)}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_can_be_read(browser: Browser, scheme: str) -> None:
    browser.expected.append("/nothing")
    browser.scheme(scheme)
    enter(browser)
    browser.find("#text").send_keys("Hello" + Keys.ENTER)
    browser.until(lambda: len(browser.all("#log .text")) == 1)
    for path in PAGES:
        browser.open(path)
        browser.until(lambda: "–" not in browser.texts("[data-number]"))
        for details in browser.all("details > summary"):
            browser.run("arguments[0].parentElement.open = true", details)
        assert browser.run(CONTRAST) == [], path


def test_keys_are_enough(browser: Browser) -> None:
    browser.open("/tasks")
    browser.find("body").send_keys(Keys.TAB)
    skip = browser.page.switch_to.active_element
    assert skip.text == "Skip to the content"
    assert skip.location["x"] >= 0
    skip.send_keys(Keys.ENTER)
    browser.until(lambda: browser.run("return document.activeElement.id") == "main")
    browser.page.switch_to.active_element.send_keys(Keys.TAB)
    assert browser.run("return document.activeElement.id") == "title"
    outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
