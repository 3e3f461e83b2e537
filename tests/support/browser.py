"""A real browser for the tests: headless Chromium, the same everywhere, out of the npm package @sparticuz/chromium.

The package (MIT; Chromium itself is BSD) carries the program with all that it needs beside the C library, so neither root nor a system's
package is needed: 70 MB to fetch, 215 MB unpacked, once. It is for Linux on x86-64; elsewhere an installed Chrome or Edge does.
"""

from __future__ import annotations

import io
import os
import platform
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import brotli
import matplotlib
import pytest
from playwright.sync_api import Browser, Error, sync_playwright

from install.samples import Package, fetch_package

PACKAGE = Package(
    "@sparticuz/chromium@153.0.0",
    70,
    {
        "chromium.br": ("package/bin/chromium.br", "38e1e1649db20fa4ea644bf5987688ce81a4c9eb10e7eae8380b74fc0d699fea"),
        "al2023.tar.br": (
            "package/bin/al2023.tar.br",
            "a166168dd3e3e9d8743689fff543c5cadb3025c1816c6a154c90dc68a59edd0a",
        ),
        "fonts.tar.br": (
            "package/bin/fonts.tar.br",
            "c1307fe5cd607092f0426742b4ab93755eec9a9b7752e47c56408c2bcf3e515b",
        ),
    },
)
# A root user's Chromium has no sandbox; the rest keeps it from asking anyone for anything.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{folder}/fonts</dir>
  <dir>{matplotlib}/fonts/ttf</dir>
  <cachedir>{folder}/cache</cachedir>
  <alias><family>system-ui</family><prefer><family>Open Sans</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
"""


@contextmanager
def open_browser(cache: Path) -> Iterator[Browser]:
    """Start a browser with a profile of its own. cache: a folder that stays between two runs of the tests.

    FACEPLATE_BROWSER names another program of Chromium's kind.
    """
    with sync_playwright() as playwright:
        browser = _start(playwright.chromium, cache)
        try:
            yield browser
        finally:
            browser.close()


def _start(chromium: Any, cache: Path) -> Browser:
    told = os.environ.get("FACEPLATE_BROWSER")
    if told:
        return chromium.launch(executable_path=told, args=FLAGS)
    if platform.system() == "Linux" and platform.machine() == "x86_64":
        folder = _unpacked(cache)
        # A path that it was unpacked at may be another one's by now, so this is written each time.
        fonts = folder / "fonts.conf"
        fonts.write_text(FONTS.format(folder=folder, matplotlib=matplotlib.get_data_path()), "utf-8")
        env = {**os.environ, "LD_LIBRARY_PATH": str(folder / "lib"), "FONTCONFIG_FILE": str(fonts)}
        return chromium.launch(executable_path=folder / "chromium", args=FLAGS, env=env)
    for channel in ("chrome", "msedge"):
        try:
            return chromium.launch(channel=channel, args=FLAGS)
        except Error:
            continue
    pytest.skip("no browser: install Chrome or Edge, or set FACEPLATE_BROWSER to a program of Chromium's kind")


def _unpacked(cache: Path) -> Path:
    """The folder with the browser, fetched and unpacked if it is not there yet; whole or not at all."""
    folder, made = cache / PACKAGE.name.rpartition("@")[2], cache / "unpacking"
    if (folder / "chromium").is_file():
        return folder
    shutil.rmtree(made, ignore_errors=True)
    packed = fetch_package(PACKAGE, cache / "packed", print)
    made.mkdir()
    for name in ("al2023.tar.br", "fonts.tar.br"):
        with tarfile.open(fileobj=io.BytesIO(brotli.decompress((packed / name).read_bytes()))) as archive:
            archive.extractall(made, filter="data")
    unpack = brotli.Decompressor()
    with (packed / "chromium.br").open("rb") as small, (made / "chromium").open("wb") as large:
        while part := small.read(1 << 20):
            large.write(unpack.process(part))
    (made / "chromium").chmod(0o755)
    made.replace(folder)
    shutil.rmtree(packed)
    return folder
