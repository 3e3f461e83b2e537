"""Documents of shots that nobody rendered: `shot.json` as a swap writes it, about files that need not exist."""

from __future__ import annotations

from typing import Any

from nodes.shot_document import ShotDocument

FOOTAGE = {
    "width": 64,
    "height": 36,
    "rate": "25",
    "frames": 10,
    "first": 0,
    "bit_depth": 8,
    "colour": "srgb",
}


def shot_document(inputs: dict[str, dict[str, Any]], method: str = "reference", **more: Any) -> dict[str, Any]:
    """A document as JSON has it. inputs: path and digest of each; what else is known of footage is made up."""
    return {
        "schema": "faceplate.shot/1",
        "inputs": {name: described(name, told) for name, told in inputs.items()},
        "range": {"first": 0, "last": 9},
        "rate": "25",
        "width": 64,
        "height": 36,
        "settings": {"swap": {"method": method}},
        "tracks": [],
        "versions": {},
        "results": {"frames": 10, "frames_with_face": 10},
    } | more


def described(name: str, told: dict[str, Any]) -> dict[str, Any]:
    """An input by its name: a model, or footage."""
    return told if name.startswith("model") else FOOTAGE | told


def shot_of(inputs: dict[str, dict[str, Any]], method: str = "reference", **more: Any) -> ShotDocument:
    """The same, read."""
    return ShotDocument.model_validate(shot_document(inputs, method, **more))
