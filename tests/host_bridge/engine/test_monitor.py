"""The monitor page in a real browser, before a real engine with real jobs on sample footage."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, expect

from tests.support.browser import open_browser
from tests.support.clips import cut
from tests.support.live_engine import Live, live_engine
from tests.support.relay import relay

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 400, "height": 820}
NASTY = "<img src=x onerror=\"document.title='taken'\"> & Söhne"
Shoot = Callable[..., Path]


@pytest.fixture(scope="module")
def browser(pytestconfig: pytest.Config) -> Iterator[Browser]:
    assert pytestconfig.cache is not None
    expect.set_options(timeout=30_000)
    with open_browser(pytestconfig.cache.mkdir("browser")) as started:
        yield started


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_engine(tmp_path_factory.mktemp("engine"), OMP_NUM_THREADS="1") as live:
        yield live


class Tab:
    """A tab of a browser, which keeps what was asked of the network and what was complained of."""

    def __init__(self, context: BrowserContext) -> None:
        self.context, self.page = context, context.new_page()
        self.asked: list[Request] = []
        self.complaints: list[str] = []
        context.on("request", lambda request: self.asked.append(request))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda told: self.complaints.append(told.text) if told.type == "error" else None)


@pytest.fixture
def tab(browser: Browser, engine: Live) -> Iterator[Callable[..., Page]]:
    """Open the page: (viewport, colour scheme, fragment) -> page. At the end, nothing but the engine may have been asked for anything."""
    tabs: list[Tab] = []

    def open_(viewport: Any = WIDE, scheme: Any = "dark", fragment: str | None = None) -> Page:
        tabs.append(Tab(browser.new_context(viewport=viewport, color_scheme=scheme, locale="en-GB")))
        page = tabs[-1].page
        told = f"token={engine.token}" if fragment is None else fragment
        page.goto(f"{engine.client.address.url}/#{told}")
        return page

    yield open_
    for one in tabs:
        one.context.close()
        assert all(request.url.startswith(engine.client.address.url) for request in one.asked)
        assert not any(engine.token in request.url for request in one.asked)
        assert [told for told in one.complaints if "status of 401" not in told] == []


@pytest.fixture
def shoot(request: pytest.FixtureRequest, tmp_path: Path) -> Shoot:
    """Take a screenshot; FACEPLATE_SCREENSHOTS names a folder that keeps them."""

    def take(page: Page, name: str, **options: Any) -> Path:
        picture = tmp_path / f"{name}.png"
        page.screenshot(path=picture, **options)
        assert picture.stat().st_size > 4000
        if kept := os.environ.get("FACEPLATE_SCREENSHOTS"):
            Path(kept).mkdir(parents=True, exist_ok=True)
            shutil.copy(picture, kept)
        return picture

    return take


@pytest.fixture(scope="module")
def facesets(engine: Live, samples: Path) -> dict[str, dict[str, Any]]:
    """Two facesets that the engine has gathered, and what it says of the jobs. The second one's name looks like markup."""
    made = {}
    for clip, first, performer in (("franck", 300, "franck"), ("cap12_edit", 0, NASTY)):
        movie = cut(samples / f"{clip}.mp4", engine.work / f"{clip}.mp4", first, 16)
        request = {"clips": [str(movie)], "performer": performer, "out": str(engine.work / f"{clip} set")}
        made[clip] = engine.client.submit("faceset", request, wait=60)
        assert made[clip]["state"] == "finished", made[clip]
    return made


def train(engine: Live, out: str) -> dict[str, Any]:
    """Ask for a training that goes on until it is ended."""
    told = {"minutes": 60, "size": 64, "batch": 1, "device": "cpu", "preview_every": 1, "checkpoint_every": 1}
    sets = [str(engine.work / f"{name} set") for name in ("franck", "cap12_edit")]
    return engine.client.submit("train", {"facesets": sets, "out": str(engine.work / out), "train": told})


def job(page: Page, id: str) -> Locator:
    return page.locator(f"#job-{id}")


def drawn(page: Page, canvas: str) -> list[int]:
    """Size of a canvas, and how many colours are in it."""
    return page.locator(canvas).evaluate(
        """canvas => { const { width, height } = canvas;
        const data = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, width, height).data.buffer);
        return [width, height, new Set(data).size]; }"""
    )


def flawless(page: Page) -> None:
    """The page keeps WCAG 2 AA as far as a program can tell, contrast too."""
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    found = Axe().run(page, options=rules)
    assert found.violations_count == 0, found.generate_report()


def fits(page: Page) -> None:
    """Nothing is wider than the page."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# ---- getting in


def test_without_a_token_the_page_says_how_to_get_in(tab: Callable[..., Page], shoot: Shoot) -> None:
    page = tab(fragment="")
    expect(page.locator("#door")).to_contain_text("faceplate engine status")
    expect(page.locator("#rooms")).to_be_hidden()
    flawless(page)
    shoot(page, "door")


def test_a_token_of_another_engine_is_said_to_be_one(tab: Callable[..., Page]) -> None:
    page = tab(fragment="token=wrong")
    expect(page.locator("#door")).to_contain_text("The engine was started anew")
    assert page.evaluate("sessionStorage.length") == 0


def test_the_token_leaves_the_address_and_stays_with_the_tab(tab: Callable[..., Page], engine: Live) -> None:
    page = tab()
    expect(page.locator("#engine")).to_have_text("Engine 0.1.0 on cpu")
    assert page.url == f"{engine.client.address.url}/"
    page.reload()
    expect(page.locator("#engine")).to_have_text("Engine 0.1.0 on cpu")
    expect(page.locator("#door")).to_be_hidden()
    page.goto(engine.client.page)  # the link once more, in a tab that has the page already
    expect(page).to_have_url(f"{engine.client.address.url}/")
    expect(page.locator("#engine")).to_have_text("Engine 0.1.0 on cpu")


def test_the_policy_lets_in_nothing_but_the_page_s_own_files(engine: Live) -> None:
    policy = engine.ask("GET /")[1]["content-security-policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy and "http" not in policy


def test_an_empty_queue_tells_what_to_do(tab: Callable[..., Page], shoot: Shoot) -> None:
    page = tab()
    expect(page.locator("#empty")).to_contain_text("faceplate swap --engine")
    flawless(page)
    shoot(page, "empty")
    page.set_viewport_size(NARROW)
    fits(page)
    shoot(page, "empty-400")


# ---- what it shows


def test_a_faceset_shows_its_contact_sheet_also_large(
    tab: Callable[..., Page], engine: Live, facesets: dict[str, dict[str, Any]], shoot: Shoot
) -> None:
    page = tab()
    job(page, facesets["franck"]["id"]).click()
    expect(page.locator(".pictures figure")).to_contain_text("Contact sheet")
    width, height, colours = drawn(page, ".pictures canvas")
    assert min(width, height) > 50 and colours > 1000
    shoot(page, "faceset")
    page.locator(".picture").press("Enter")
    expect(page.locator("#large")).to_be_visible()
    assert drawn(page, "#large canvas") == [width, height, colours]
    flawless(page)
    page.keyboard.press("Escape")
    expect(page.locator("#large")).to_be_hidden()
    expect(page.locator(".picture")).to_be_focused()


def test_what_a_job_says_is_text_and_never_markup(
    tab: Callable[..., Page], facesets: dict[str, dict[str, Any]]
) -> None:
    page = tab()
    job(page, facesets["cap12_edit"]["id"]).click()
    expect(page.locator("#job-title")).to_have_text(NASTY)
    expect(page.locator(".body dd", has_text=NASTY).first).to_be_visible()
    assert page.locator("img").count() == 0
    assert page.title() == "Faceplate"


def test_an_error_stands_there_with_its_remedy(tab: Callable[..., Page], engine: Live, shoot: Shoot) -> None:
    page = tab()
    gone = engine.work / "A012_C004.mov"
    failed = engine.client.submit("swap", {"plate": str(gone), "out": str(engine.work / "result")})
    expect(job(page, failed["id"])).to_contain_text("Failed")
    expect(page.locator("#announce")).to_contain_text("Swap A012_C004.mov: failed")
    job(page, failed["id"]).click()
    error = engine.client.show(failed["id"])["error"]
    expect(page.locator(".error p").first).to_have_text(error["message"])
    expect(page.locator(".error .remedy")).to_have_text(error["remedy"])
    assert str(gone) in error["message"] and error["remedy"]
    expect(page.get_by_role("button", name="Retry")).to_be_visible()
    flawless(page)
    shoot(page, "error")

    page.get_by_role("button", name="Retry").click()
    expect(page.locator(".columns > div", has_text="Attempt")).to_have_text(re.compile("2$"))
    expect(page.locator(".state")).to_have_text("Failed")
    page.set_viewport_size(NARROW)
    fits(page)
    shoot(page, "error-400", full_page=True)


def test_a_training_is_followed_live_cancelled_and_resumed_by_the_keyboard(
    tab: Callable[..., Page], engine: Live, facesets: dict[str, dict[str, Any]], shoot: Shoot
) -> None:
    page = tab()
    expect(job(page, facesets["franck"]["id"])).to_be_visible()
    training = train(engine, "training")
    expect(job(page, training["id"]).locator(".line")).to_contain_text("Running")
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    expect(job(page, training["id"])).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#job-title")).to_be_focused()
    expect(page.locator("#job-title")).to_have_text(training["title"])

    # Live: steps, curve, loss and preview come and change without anything being done here.
    far = page.locator(".far span").first
    expect(far).to_have_text(re.compile(r"^Step \d+$"))
    before = far.text_content() or ""
    expect(far).not_to_have_text(before)
    expect(page.locator(".curve .line")).to_be_attached()
    expect(page.locator(".curve .axis").first).to_have_text("step")
    expect(page.locator(".curve")).to_have_attribute("aria-label", re.compile("^The loss from step"))
    expect(page.locator(".figures")).to_contain_text("Loss")
    picture = page.locator(".pictures figure")
    expect(picture).to_contain_text("Latest preview")
    assert drawn(page, ".pictures canvas")[2] > 100
    first = picture.get_attribute("data-shown") or ""
    assert first.startswith(f"/v1/jobs/{training['id']}/preview?v=")
    expect(picture).not_to_have_attribute("data-shown", first)
    flawless(page)
    shoot(page, "training", full_page=True)

    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".state")).to_have_text("Cancelled")
    expect(page.locator("#announce")).to_contain_text("cancelled")
    expect(page.locator("#job-title")).to_be_focused()
    reached = engine.client.show(training["id"])["metrics"]["step"]
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Resume")).to_be_focused()
    shoot(page, "cancelled")
    page.keyboard.press("Enter")
    expect(page.locator(".state")).to_have_text("Running")
    expect(far).to_have_text(re.compile(r"^Step \d+$"))
    expect(page.locator(".columns > div", has_text="Attempt")).to_have_text(re.compile("2$"))
    assert reached > 0
    page.wait_for_function(
        "reached => Number(document.querySelector('.far span').textContent.replace(/\\D/g, '')) > reached", arg=reached
    )
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".state")).to_have_text("Cancelled")


# ---- how it is used


def test_the_keyboard_alone_does_all(
    tab: Callable[..., Page], engine: Live, facesets: dict[str, dict[str, Any]], shoot: Shoot
) -> None:
    page = tab()
    items = page.get_by_role("option")
    expect(items.first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator("[role=option]:focus")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Home")
    expect(items.first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(items.nth(1)).to_be_focused()
    expect(items.nth(1)).to_have_attribute("aria-selected", "true")
    expect(page.locator("#job-title")).to_have_text(items.nth(1).locator(".title").text_content() or "")
    shoot(page, "keyboard")
    page.keyboard.press("End")
    page.keyboard.press("ArrowDown")
    expect(items.last).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator("#job-title")).to_be_focused()
    stops = []
    for _ in range(12):
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.getAttribute('role') || document.activeElement.localName"))
        if stops[-1] == "log":
            break
    assert stops[-1] == "log" and "summary" in stops and "input" in stops
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "the focus is seen"
    page.keyboard.press("Escape")
    expect(page.locator("[role=option]:focus")).to_have_attribute("aria-selected", "true")


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_it_is_readable_in_dark_and_light_wide_and_narrow(
    tab: Callable[..., Page], facesets: dict[str, dict[str, Any]], shoot: Shoot, viewport: Any, scheme: str
) -> None:
    page = tab(viewport, scheme)
    name = f"{scheme}-{viewport['width']}"
    expect(page.get_by_role("option").first).to_be_visible()
    if viewport is WIDE:
        expect(page.locator(".curve .line")).to_be_attached()
    flawless(page)
    fits(page)
    shoot(page, name)
    if viewport is NARROW:
        expect(page.locator("#details-pane")).to_be_hidden()
        page.get_by_role("option").first.click()
        expect(page.locator("#list-pane")).to_be_hidden()
        expect(page.locator(".curve .line")).to_be_attached()
        flawless(page)
        fits(page)
        shoot(page, f"{name}-details", full_page=True)
        page.get_by_role("button", name="Jobs").click()
        expect(page.locator("#list-pane")).to_be_visible()


@pytest.mark.usefixtures("facesets")
def test_a_long_list_shows_the_newest_and_then_the_older_ones(tab: Callable[..., Page], engine: Live) -> None:
    asked = [train(engine, "a training that keeps the others waiting")["id"]]
    asked += [
        engine.client.submit("detect", {"clip": str(engine.work / "none.mov"), "range": str(at)})["id"]
        for at in range(105)
    ]
    page = tab()
    expect(page.get_by_role("option")).to_have_count(100)
    page.get_by_role("button", name="Show older jobs").click()
    expect(page.get_by_role("button", name="Show older jobs")).to_be_hidden()
    assert page.get_by_role("option").count() >= 105
    for id in reversed(asked):
        engine.client.cancel(id)
    expect(page.locator("[data-state=queued]")).to_have_count(0)


# ---- when the engine is not there


def test_a_broken_line_is_taken_up_again_and_what_was_missed_is_caught_up_with(browser: Browser, engine: Live) -> None:
    with relay(engine.port) as line, browser.new_context(viewport=WIDE) as context:
        page = context.new_page()
        page.goto(engine.client.page.replace(str(engine.port), str(line.port)))
        expect(page.locator("#engine")).to_contain_text("Engine 0.1.0")
        line.cut()
        expect(page.locator("#banner")).to_contain_text("Engine not reachable")
        missed = engine.client.submit("detect", {"clip": str(engine.work / "missed.mov")}, wait=30)
        line.mend()
        page.get_by_role("button", name="Try now").click()
        expect(page.locator("#banner")).to_be_hidden()
        expect(job(page, missed["id"])).to_contain_text("Failed")


def test_an_engine_that_is_gone_is_said_to_be(browser: Browser, tmp_path: Path, shoot: Shoot) -> None:
    with live_engine(tmp_path) as live:
        page = browser.new_context(viewport=WIDE, color_scheme="dark").new_page()
        page.goto(live.client.page)
        expect(page.locator("#empty")).to_be_visible()
        os.kill(live.client.address.pid, signal.SIGKILL)
        expect(page.locator("#banner")).to_contain_text("Engine not reachable")
        flawless(page)
        shoot(page, "unreachable")
        page.context.close()
