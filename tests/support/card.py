"""A third subject for the tests: a card with a dot of its own colour for each landmark, moved, turned, scaled and bent.

What lies between the dots differs from one "performer" to the other: warm stripes, or cool rings.

`python -m tests.support.card FOLDER` writes what the walk in docs/subjects.md starts from: clips of both, a network and its description.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from tests.support.clips import write_movie

NAMES = ("top_left", "top_right", "middle_left", "middle_right", "nose", "bottom_left", "bottom_right", "tip")
# Where the dots are on the card, which reaches from -1.35 to 1.35; a left and a right side, and a nose and a tip between.
PLACES = np.array(
    [[-1, -0.9], [1, -0.9], [-1, 0.1], [1, 0.1], [0, -0.2], [-0.6, 0.95], [0.6, 0.95], [0, 0.6]], np.float64
)
MIRROR = [1, 0, 3, 2, 4, 6, 5, 7]
BENDS = (5, 6)  # the dots at the bottom, which move by themselves
COLOURS = np.array(
    [
        [230, 30, 30],
        [30, 200, 40],
        [40, 60, 235],
        [235, 220, 30],
        [235, 40, 220],
        [30, 215, 225],
        [250, 130, 10],
        [130, 30, 190],
    ],
    np.float64,
)
RATE = 25
_EDGE, _DOT = 1.35, 0.17
_SIZE = 640  # pixels a side of the card's picture
_FINER = 2


def card(look: str) -> np.ndarray:
    """The card's picture, uint8 [S, S, 4], RGBA."""
    span = (np.arange(_SIZE) + 0.5) / _SIZE * 2 * _EDGE - _EDGE
    x, y = np.meshgrid(span, span)
    if look == "stripes":
        wave = 0.5 + 0.5 * np.sin(9 * (x + 0.6 * y))
        colour = wave[..., None] * np.array([205, 178, 150]) + (1 - wave[..., None]) * np.array([120, 88, 70])
    else:
        wave = 0.5 + 0.5 * np.sin(11 * np.hypot(x, y + 0.2))
        colour = wave[..., None] * np.array([185, 200, 205]) + (1 - wave[..., None]) * np.array([70, 95, 105])
    for place, dot in zip(PLACES, COLOURS, strict=True):
        share = np.clip((_DOT - np.hypot(x - place[0], y - place[1])) * _SIZE / (2 * _EDGE) + 0.5, 0, 1)[..., None]
        colour = colour + share * (dot - colour)
    round_ = np.clip((_EDGE - 0.03 - (np.abs(x) ** 8 + np.abs(y) ** 8) ** 0.125) * _SIZE / (2 * _EDGE), 0, 1)
    return np.dstack([colour, 255 * round_]).astype(np.uint8)


def bend(places: np.ndarray, time: float) -> np.ndarray:
    """How far the card is bent at `places` [..., 2]: its lower part sways to the side and up and down."""
    low = np.clip((places[..., 1] - 0.45) / 0.5, 0, 1) ** 2
    return np.stack([0.10 * np.sin(2.1 * time), 0.06 * np.sin(3.3 * time + 1)], -1) * low[..., None]


def pose(time: float, other: bool, size: tuple[int, int]) -> np.ndarray:
    """Card units → frame pixels, [2, 3]: it wanders, turns by up to 20 degrees and comes nearer."""
    phase = 1.7 if other else 0.0
    scale = size[1] * (0.2 + 0.03 * np.sin(0.9 * time + phase))
    angle = np.radians(20 * np.sin(0.7 * time + phase))
    centre = np.array(size) * (0.5 + np.array([0.11 * np.sin(0.8 * time + phase), 0.06 * np.cos(1.1 * time)]))
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, centre[0]], [s, c, centre[1]]])


def truth(time: float, other: bool, size: tuple[int, int]) -> np.ndarray:
    """Where the dots are, continuous pixels [L, 2]."""
    seen = PLACES
    for _ in range(40):  # what is drawn at u is the card's u - bend(u)
        seen = PLACES + bend(seen, time)
    matrix = pose(time, other, size)
    return seen @ matrix[:, :2].T + matrix[:, 2]


def lay(background: np.ndarray, look: np.ndarray, time: float, other: bool) -> np.ndarray:
    """Draw the card into a frame, four samples a pixel."""
    height, width = background.shape[:2]
    x, y = np.meshgrid(*((np.arange(n * _FINER) + 0.5) / _FINER for n in (width, height)))
    matrix = pose(time, other, (width, height))
    u = (np.stack([x, y], -1) - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    places = ((u - bend(u, time)) + _EDGE) / (2 * _EDGE) * _SIZE - 0.5
    fine = cv2.remap(look, places.astype(np.float32), None, cv2.INTER_AREA, borderValue=(0, 0, 0, 0))
    there = cv2.resize(fine.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    alpha = there[..., 3:] / 255
    return np.clip(background + alpha * (there[..., :3] - background) + 0.5, 0, 255).astype(np.uint8)


def shoot(backgrounds: Iterable[np.ndarray], path: Path, look: str) -> Path:
    """Write a clip of the card before pictures."""
    picture = card(look)
    frames = (lay(b, picture, i / RATE * 2, look == "rings") for i, b in enumerate(backgrounds))
    return write_movie(path, frames, RATE)


def truths(look: str, count: int, size: tuple[int, int]) -> np.ndarray:
    """Where the dots are in the frames of such a clip, [T, L, 2]."""
    return np.stack([truth(i / RATE * 2, look == "rings", size) for i in range(count)])


CONFIG = f"""\
landmarks = {json.dumps(NAMES)}

[network]
size = [128, 128]     # width, height
decode = "heatmap"
margin = 1.8          # side of the square it looks at, over the landmarks' extent
"""


def main() -> None:
    """Write the example of the documentation."""
    from skimage import data

    from tests.support.keypoint_nets import dot_network

    folder = Path(sys.argv[1])
    dot_network(folder / "dots.onnx", COLOURS / 255, 128)
    (folder / "card.toml").write_text(CONFIG, "utf-8")
    for look, photograph in (("stripes", data.coffee()), ("rings", data.rocket())):
        background = cv2.resize(np.ascontiguousarray(photograph[:400]), (480, 320), interpolation=cv2.INTER_AREA)
        background = cv2.GaussianBlur(background, (0, 0), 3)  # out of focus
        shoot((background for _ in range(60)), folder / f"{look}.mp4", look)


if __name__ == "__main__":
    main()
