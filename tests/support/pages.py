"""What every page that Faceplate writes must hold, tried in a real browser. `browser` is a fixture for the files that import it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.support.browser import open_browser

SCHEMES = ["dark", "light"]


@pytest.fixture(scope="module")
def browser(pytestconfig: pytest.Config) -> Iterator[Browser]:
    """One browser for a file's tests."""
    assert pytestconfig.cache is not None
    with open_browser(pytestconfig.cache.mkdir("browser")) as started:
        yield started


@contextmanager
def opened(browser: Browser, path: Path, scheme: Any = "light", width: int = 400) -> Iterator[Page]:
    """A page in a window that is narrow unless it is told; at the end it must have been whole in itself and readable by everyone."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    yield page
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    assert Axe().run(page).response["violations"] == []
    context.close()


def printed(browser: Browser, path: Path, paper: str) -> int:
    """How many sheets of A4 or Letter a page is printed on."""
    page = browser.new_page()
    page.goto(path.as_uri())
    data = page.pdf(format=paper, print_background=True)
    page.close()
    return len(re.findall(rb"/Type\s*/Page\b", data))
