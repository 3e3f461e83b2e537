"""The pictures of docs/blender.md, of drawn faces, rendered by a real Blender: run it as a script.

python -m tests.support.blender_pictures PYTHON_WITH_BPY [FOLDER]   (by default docs/images)
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import install.blender
from nodes.types import Float, Image8
from tests import ROOT
from tests.host_bridge.blender.test_blender_controls import SCENE, read, write
from tests.support.blender import Blender

WIDTH, HEIGHT = 320, 240
SHOWN: dict[str, dict[str, Any]] = {
    "as the engine made it": {},
    "Opacity 0.5": {"Opacity": 0.5},
    "Match 1": {"Match": 1.0},
    "Exposure 0.7": {"Exposure": 0.7},
    "Saturation 0.2": {"Saturation": 0.2},
    "Edge -14": {"Edge": -14},
    "Feather 24": {"Feather": 24},
}
_BACK, _PANEL, _TEXT = (29, 29, 29), (48, 48, 48), (225, 225, 225)
_COLOURS = {"RGBA": (199, 199, 41), "VALUE": (161, 161, 161), "INT": (89, 140, 92)}
_ROW = 22


def face(skin: tuple[float, ...], moustache: bool) -> Float:
    """A drawn face on its own, linear RGB [H, W, 3]."""
    big = np.full((HEIGHT * 4, WIDTH * 4, 3), skin, np.float32)
    dark = tuple(0.12 * c for c in skin)
    for x in (560, 720):
        cv2.ellipse(big, (x, 420), (34, 22), 0, 0, 360, (0.9, 0.9, 0.9), -1, cv2.LINE_AA)
        cv2.circle(big, (x, 420), 14, (0.05, 0.08, 0.1), -1, cv2.LINE_AA)
        cv2.ellipse(big, (x, 372), (48, 14), 0, 180, 360, dark, 10, cv2.LINE_AA)
    cv2.ellipse(big, (640, 500), (22, 40), 0, 20, 160, tuple(0.6 * c for c in skin), 8, cv2.LINE_AA)
    if moustache:
        cv2.ellipse(big, (640, 590), (90, 30), 0, 180, 360, dark, -1, cv2.LINE_AA)
    cv2.ellipse(big, (640, 610), (64, 26), 0, 0 if moustache else 20, 180 if moustache else 160, (0.35, 0.06, 0.06), 12)
    return cv2.resize(big, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


def ellipse(radius: tuple[int, int], soft: float) -> Float:
    """Coverage of the face [H, W, 1]."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    inside = 1 - np.hypot((x - 160) / radius[0], (y - 122) / radius[1])
    return np.asarray(np.clip(inside / soft, 0, 1)[..., None])


def draw(folder: Path) -> None:
    """Write plate and patch, three frames of each."""
    y = np.linspace(0.35, 0.12, HEIGHT)[:, None, None]
    plate = y * np.ones((1, WIDTH, 1)) * [0.5, 0.8, 1.1]
    cv2.ellipse(plate, (160, 250), (110, 60), 0, 0, 360, (0.05, 0.12, 0.3), -1, cv2.LINE_AA)
    cv2.ellipse(plate, (160, 112), (72, 92), 0, 0, 360, (0.03, 0.02, 0.015), -1, cv2.LINE_AA)
    head = ellipse((64, 84), 0.02)
    plate = plate * (1 - head) + face((0.42, 0.22, 0.15), False) * head
    matte = ellipse((58, 76), 0.3)
    patch = face((0.62, 0.52, 0.36), True) * matte
    for number in (1, 2, 3):
        write(folder / f"plate.{number:04d}.exr", np.dstack([plate, np.ones((HEIGHT, WIDTH))]))
        write(folder / f"patch.{number:04d}.exr", np.dstack([patch, matte]))


def code(folder: Path) -> str:
    """What Blender is to render, and to tell of the nodes as a graph."""
    return f"""folder, width, height = Path({str(folder)!r}), {WIDTH}, {HEIGHT}
{SCENE}
shot(plate.outputs["Image"], "plate")
defaults = {{s.name: s.default_value[:] if s.type == "RGBA" else s.default_value for s in swap.inputs}}
for name, values in {SHOWN!r}.items():
    for key, value in (defaults | values).items():
        swap.inputs[key].default_value = value
    shot(swap.outputs["Image"], name)
for key, value in defaults.items():
    swap.inputs[key].default_value = value
detect, align, mask = (tree.nodes.new(f"Faceplate{{name}}Node") for name in ("Detect", "Align", "Mask"))
chain = [plate, detect, align, mask, swap]
for node in chain[1:]:
    tree.links.new(plate.outputs["Image"], node.inputs["Image"])
for one, other in zip(chain[1:], chain[2:]):
    tree.links.new(one.outputs["Faces"], other.inputs["Faces"])
tree.links.new(swap.outputs["Image"], end.inputs[0])
def value(socket):
    return None if socket.is_linked or socket.type == "RGBA" else round(socket.default_value, 2)
answer({{
    "nodes": [
        {{
            "name": node.bl_label,
            "inputs": [[s.name, s.type, value(s)] for s in node.inputs if s.enabled and s.type in ("RGBA", "VALUE", "INT")]
            if node != plate else [],
            "outputs": [[s.name, s.type] for s in node.outputs if s.enabled],
            "buttons": [label for _, label in getattr(node, "buttons", ())],
        }}
        for node in (*chain, end)
    ],
    "links": [
        [(*chain, end).index(l.from_node), l.from_socket.name, (*chain, end).index(l.to_node), l.to_socket.name]
        for l in tree.links
    ],
}})
"""


def text(picture: Image8, words: str, x: int, y: int, size: float = 0.42, colour: tuple[int, ...] = _TEXT) -> None:
    """Write words with their left end at x."""
    cv2.putText(picture, words, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)


def controls(folder: Path) -> Image8:
    """The renders side by side, each with its name; BGR."""
    cells = []
    for name in ("plate", *SHOWN):
        linear = np.clip(read(folder / f"{name}.exr")[..., 2::-1], 0, 1)
        shown = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
        cell = np.full((HEIGHT + 28, WIDTH, 3), _BACK, np.uint8)
        cell[:HEIGHT] = np.round(shown * 255)
        text(cell, "plate" if name == "plate" else name, 8, HEIGHT + 19, 0.5)
        cells.append(cell)
    return np.vstack([np.hstack(cells[i : i + 4]) for i in (0, 4)])


def graph(told: dict[str, Any]) -> Image8:
    """The nodes as Blender has them, with their sockets, values, buttons and links; BGR."""
    places, width, gap, top = [], 170, 46, 40
    rows = [len(n["buttons"]) + len(n["outputs"]) + len(n["inputs"]) + 1 for n in told["nodes"]]
    picture = np.full((top * 2 + max(rows) * _ROW + 8, gap + len(rows) * (width + gap), 3), _BACK, np.uint8)
    ends: dict[tuple[int, str, str], tuple[int, int]] = {}
    for i, node in enumerate(told["nodes"]):
        x, y = gap + i * (width + gap), top
        cv2.rectangle(picture, (x, y), (x + width, y + rows[i] * _ROW + 8), _PANEL, -1)
        cv2.rectangle(picture, (x, y), (x + width, y + _ROW), (60, 90, 60) if node["buttons"] else (80, 60, 60), -1)
        text(picture, node["name"], x + 8, y + 16, 0.45)
        y += _ROW
        for name, _ in node["outputs"]:
            size = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, 0.42, 1)[0][0]
            text(picture, name, x + width - 10 - size, y + 16)
            ends[i, "out", name] = x + width, y + 12
            y += _ROW
        for label in node["buttons"]:
            cv2.rectangle(picture, (x + 10, y + 3), (x + width - 10, y + _ROW - 2), (84, 84, 84), -1)
            text(picture, label, x + 18, y + 16)
            y += _ROW
        for name, _, value in node["inputs"]:
            text(picture, name if value is None else f"{name}  {value:g}", x + 12, y + 16)
            ends[i, "in", name] = x, y + 12
            y += _ROW
        places.append((x, top))
    for one, start, other, stop in told["links"]:
        (x0, y0), (x1, y1) = ends[one, "out", start], ends[other, "in", stop]
        t = np.linspace(0, 1, 60)[:, None]
        bend = max(40, (x1 - x0) // 2)
        curve = np.array([(x0, y0), (x0 + bend, y0), (x1 - bend, y1), (x1, y1)], float)
        weights = np.hstack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
        cv2.polylines(picture, [np.round(weights @ curve).astype(np.int32)], False, (150, 150, 60), 2, cv2.LINE_AA)
    kinds = {(i, "in", s[0]): s[1] for i, n in enumerate(told["nodes"]) for s in n["inputs"]}
    kinds |= {(i, "out", s[0]): s[1] for i, n in enumerate(told["nodes"]) for s in n["outputs"]}
    for key, place in ends.items():
        cv2.circle(picture, place, 5, _COLOURS.get(kinds[key], _TEXT), -1, cv2.LINE_AA)
    return picture


def main() -> None:
    """Render, and write both pictures."""
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "docs" / "images"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (user := folder / "user").mkdir()
        blender = Blender("", Path(sys.argv[1]), user)
        blender.run(f"install({str(install.blender.build(folder))!r})\nanswer(True)")
        draw(folder)
        told = blender.run(code(folder))
        cv2.imwrite(str(out / "blender-nodes.png"), graph(told))
        cv2.imwrite(str(out / "blender-controls.png"), controls(folder))


if __name__ == "__main__":
    main()
