"""A clip and three photographs of hands from the npm package fingerpose (MIT licence), fetched once, never committed."""

from __future__ import annotations

from pathlib import Path

from install.samples import Package, fetch_package, samples_folder
from tests import ROOT

_DIGESTS = {
    "fingers-lq.gif": "1452516bb43bf19702f93ca796bba635d708fdc57607597b1e207e9d3e039bbe",
    "nocurl.jpg": "5c4fff4ce6629b6add336c908abce0a3e73d32aa6eee6927aab2da8fc27cb380",
    "halfcurl.jpg": "b38ad7603c2b333c84ff0481004875bca068e4a716995c2acee60e78608beec1",
    "fullcurl.jpg": "9158ac10da1b6deacabcf6f38f4a0521db7bebcc4c5fbc53324ed688af6ce54b",
    "LICENSE.txt": "9899f8253c81396f38860fe67a42063f023fad748907c096cf5211115b1c6633",
}
HANDS = Package(
    "fingerpose@0.1.0",
    2,
    {n: ("package/LICENSE" if n == "LICENSE.txt" else f"package/assets/{n}", digest) for n, digest in _DIGESTS.items()},
)


def hands_folder() -> Path:
    """Where the pictures lie or will lie: `hands/` in the samples folder, or, if a folder that FACEPLATE_SAMPLES names has none, in the checkout's."""
    own = samples_folder() / "hands"
    return own if own.is_dir() else ROOT / "samples" / "hands"


def fetch_hands() -> Path:
    """Put the pictures there, each verified, unless they are there."""
    return fetch_package(HANDS, hands_folder(), print)
