"""What a manifest says, read back: of Faceplate's results all, of others' as much as every manifest has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nodes.credentials.binding import FRAMES
from nodes.credentials.manifest import ASSERTION

SOURCE_TYPES = {
    "compositeWithTrainedAlgorithmicMedia": "edited with a trained model (generative AI)",
    "trainedAlgorithmicMedia": "made by a trained model (generative AI)",
    "compositeSynthetic": "a composite with parts made by generative AI",
    "composite": "a composite",
    "compositeCapture": "a composite of captures of real life",
    "humanEdits": "edited by hand",
    "digitalCapture": "captured from real life",
}


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that was done: its C2PA name, when by the signer's clock, and the last part of its digital source type."""

    action: str
    when: str | None
    source_type: str | None
    description: str | None


@dataclass(frozen=True, slots=True)
class Said:
    """The active manifest. swap: Faceplate's assertion, empty in others' manifests. frames: hashes by name, in their order.

    signer, issuer, serial: as its certificate has them. time: of the time-stamp server, None without one.
    """

    title: str | None
    software: str
    signer: str
    issuer: str
    serial: str
    time: str | None
    actions: tuple[Action, ...] = ()
    ingredients: tuple[dict[str, str], ...] = ()
    swap: dict[str, Any] = field(default_factory=dict)
    frames: dict[str, str] = field(default_factory=dict)


def understand(manifest: dict[str, Any]) -> Said:
    """Read a manifest as the library's reader gives it; what is missing or of another form is left out."""
    data = {str(a.get("label")): a.get("data") for a in _dicts(manifest.get("assertions"))}
    signature = _dict(manifest.get("signature_info"))
    actions = _dict(data.get("c2pa.actions.v2") or data.get("c2pa.actions")).get("actions")
    frames = _dicts(_dict(data.get(FRAMES)).get("files"))
    return Said(
        title=_text(manifest.get("title")),
        software=", ".join(
            " ".join(filter(None, (_text(g.get("name")), _text(g.get("version")))))
            for g in _dicts(manifest.get("claim_generator_info"))
        ),
        signer=_text(signature.get("common_name")) or "",
        issuer=_text(signature.get("issuer")) or "",
        serial=_text(signature.get("cert_serial_number")) or "",
        time=_text(signature.get("time")),
        actions=tuple(_action(a) for a in _dicts(actions)),
        ingredients=tuple(
            {name: str(i[name]) for name in ("title", "relationship", "instance_id") if name in i}
            for i in _dicts(manifest.get("ingredients"))
        ),
        swap=_dict(data.get(ASSERTION)),
        frames={str(f["name"]): str(f["hash"]) for f in frames if {"name", "hash"} <= set(f)},
    )


def _action(told: dict[str, Any]) -> Action:
    kind = _text(told.get("digitalSourceType"))
    return Action(
        action=str(told.get("action")),
        when=_text(told.get("when")),
        source_type=kind.rpartition("/")[2] if kind else None,
        description=_text(told.get("description")),
    )


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
