"""The page for the legal department, in a real browser and on paper."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from host_bridge.timeline.document import ErrorRecord, ShotRecord
from host_bridge.timeline.report.document import page as page_of
from host_bridge.timeline.report.gather import gather
from nodes.consent.edit import Added, revoke
from nodes.consent.provenance import Provenance
from nodes.text import css_string
from tests.support.consents import consent
from tests.support.pages import SCHEMES, opened, printed
from tests.support.pages import browser as browser
from tests.support.show import MEDIA, NAME, TODAY, Show
from tests.support.show import show as show
from tests.support.timeline_results import done_shot

Written = Callable[..., Path]
UNSIGNED: dict[str, Any] = {"signed": False, "since": "2026-06-20T10:00:00+00:00", "reason": "<script>tests</script>"}


@pytest.fixture
def written(run: Callable[..., tuple[int, str, str]], show: Show, tmp_path: Path) -> Written:
    def write(*options: object) -> Path:
        path = tmp_path / "report.html"
        status, _, err = run("timeline", "report", show.edit, "--html", path, *options)
        assert status == 0, err
        return path

    return write


def ordinary(show: Show, count: int) -> None:
    """An edit in which two are replaced by two others, by six consents."""
    ben = [consent(show.folder, "Benedict Okonkwo-Harrington", "replaced", until=date(2027, 3, n)) for n in (1, 31)]
    eva = [
        consent(show.folder, "Eva Marie Saint-Clair", "replacement", "train", until=date(2028, 1, n)) for n in (1, 2)
    ]
    pairs: list[tuple[Added, Added]] = [(show.ann, show.put_in), (ben[0], eva[0]), (ben[1], eva[1])]
    shots = []
    for i in range(count):
        target, source = pairs[i % 3]
        id = f"V1-{i + 1:04d}"
        show.result(id, target=target, source=source, model=f"{source.performer.id}.onnx")
        shots.append(done_shot(id, (0, i), MEDIA, (10, 59), name=f"interview, take {i}"))
    show.save(*shots)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_page_is_whole_in_one_file_and_names_are_text(
    scheme: str, written: Written, show: Show, browser: Browser
) -> None:
    show.result("S1")
    show.result("S2", "reference", credentials=UNSIGNED)
    waiting = ShotRecord(id="S3", name="<i>wide</i>", where=(0, 3), media=MEDIA, span=(0, 9))
    show.save(
        done_shot("S1", (0, 0), MEDIA, (10, 59), name="<b>ä</b>"), done_shot("S2", (0, 1), MEDIA, (0, 9)), waiting
    )
    revoke(show.folder, "Ann", "a new <b>contract</b>", TODAY)
    for width in (400, 1200):
        with opened(browser, written(), scheme, width) as page:
            assert page.title() == "cut.otio · Faceplate report"
            assert page.locator("i, script").count() == 0
            assert page.locator("strong").inner_text() == "Not everything is covered."
            assert "Ann may not be replaced today" in page.locator(".answer").inner_text()
            first = page.locator("#S1").inner_text()
            assert "<b>ä</b>" in first and f"Ann by {NAME}" in first and "revoked on 2026-07-01" in first
            assert "no trained model" in page.locator("#S2").inner_text()
            assert "switched off 2026-06-20: <script>tests</script>" in page.locator("#S2").inner_text()
            assert "no result: not done yet" in page.locator("#S3").inner_text()
            assert "(a new <b>contract</b>)" in page.locator(".consents").inner_text()
            assert len(page.locator(".prints code").all_inner_texts()[0]) == 64


@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_twelve_shots_of_four_performers_by_six_consents_are_one_sheet(
    paper: str, written: Written, show: Show, browser: Browser
) -> None:
    ordinary(show, 12)
    assert printed(browser, written(), paper) == 1


def test_three_hundred_shots_are_sheets_with_the_head_on_each_and_are_made_at_once(
    written: Written, show: Show, browser: Browser
) -> None:
    ordinary(show, 300)
    revoke(show.folder, "Ann", "", TODAY)
    path = written()
    assert 8 < printed(browser, path, "A4") < 20
    page = browser.new_page()
    page.goto(path.as_uri())
    assert page.locator(".shots tbody tr").count() == 300
    why = page.locator(".answer li").inner_text()
    assert why.startswith("V1-0001, V1-0004, V1-0007") and "and 94 more: Ann may not be replaced today" in why
    page.emulate_media(media="print")
    assert page.locator(".shots thead").evaluate("e => getComputedStyle(e).display") == "table-header-group"
    assert page.locator(".shots tbody tr").first.evaluate("e => getComputedStyle(e).breakInside") == "avoid"
    page.close()


@pytest.mark.parametrize(
    "name",
    [
        '"Quote" O\'Neil & Söhne',
        "</style><script>document.title='taken'</script>",
        "🎭 Ωmega 🧑🏽‍🎤",
        "أحمد بن علي",
        "名前" * 60,
    ],
    ids=["quotes", "HTML", "emoji", "right to left", "long"],
)
def test_any_name_is_shown_as_it_is(name: str, written: Written, show: Show, browser: Browser) -> None:
    who = consent(show.folder, name, "replacement")
    show.result("S1", source=who)
    show.save(done_shot("S1", (0, 0), MEDIA, (0, 9), name=name))
    with opened(browser, written()) as page:
        assert page.title() == "cut.otio · Faceplate report"
        assert page.locator("#S1 bdi").all_inner_texts()[:3] == [name, "Ann", name]
        assert name in page.locator(".consents bdi").all_inner_texts()


def test_an_edit_of_any_name_stands_at_the_foot_of_each_sheet(show: Show, browser: Browser) -> None:
    name = 'cut "a" } < style> é 🎭.otio'
    assert css_string('</style>\\"\n').isascii() and not set(css_string('</style>\\"\n')) & set('<>"/\n')
    show.save(show.shot("S1"))
    report = gather(show.edit)
    report.edit.path = f"/edits/{name}"
    path = show.folder / "page.html"
    path.write_text(page_of(report), "utf-8")
    foot = "[...[...document.styleSheets[0].cssRules].find(r => r instanceof CSSPageRule).cssRules].map(r => r.style.content)"
    with opened(browser, path) as page:
        assert page.locator("h1").inner_text() == name
        assert page.evaluate(f"JSON.stringify({foot})") and page.locator("style").count() == 1


def test_failed_shots_unknown_models_and_an_absent_project_are_told(
    written: Written, show: Show, browser: Browser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    show.result("S1", provenance=Provenance(unknown=("dd" * 32,)).document())
    failed = ShotRecord(
        id="S2",
        name="x",
        where=(0, 2),
        media=MEDIA,
        span=(0, 9),
        state="failed",
        error=ErrorRecord(message="no <face>"),
    )
    show.save(done_shot("S1", (0, 0), MEDIA, (0, 9)), failed)
    (show.folder / "performers").rename(tmp_path / "performers away")
    with opened(browser, written("--no-verify"), width=1200) as page:
        assert "not known: no project was found" in page.locator("header").inner_text()
        assert "There are no records of consent here" in page.locator(".answer").inner_text()
        first = page.locator("#S1").inner_text()
        assert "it does not say by whose" in first
        assert "not known whom it was trained on" in first and "not verified" in first
        assert "no result: no <face>" in page.locator("#S2").inner_text()
        assert "dd" * 32 in page.locator(".prints code").all_inner_texts()
