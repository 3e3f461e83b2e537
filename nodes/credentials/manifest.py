"""Content Credentials of a result: its claim as a C2PA manifest definition, and the same read back.

Nothing personal: footage and models by their hashes, consents by the ids of their records; no names, no paths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nodes.consent.provenance import Provenance
from nodes.parts import PARTS, PartOfShot

ASSERTION = "org.faceplate.swap"
FRAMES = "org.faceplate.frames"
SCHEMA = "faceplate.credentials/1"
_AGENT = "Faceplate"
_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
# IPTC: "Augmentation, correction or enhancement using a Generative AI model, such as with inpainting or outpainting operations".
WITH_MODEL = f"{_IPTC}compositeWithTrainedAlgorithmicMedia"
# IPTC: "Mix or composite of several elements, any of which may or may not be generative AI". The reference method generates nothing: it puts
# in what a camera saw of the source. That both clips are captures of real life (compositeCapture) Faceplate cannot know, and
# algorithmicallyEnhanced is only for changes "without changing the main content of the media".
COMPOSITE = f"{_IPTC}composite"
# IPTC: "Augmentation, correction or enhancement by one or more humans using non-generative tools".
BY_HAND = f"{_IPTC}humanEdits"


@dataclass(frozen=True, slots=True)
class Claim:
    """One result. plate, placed, given: digests of footage as `shot.json` has them. models: SHA-256 of their files.

    placed: sources whose own pixels are put in, which is the method `reference`. given: sources that models received.
    touched: an artist's work in it, as "roto". plates: those of further shots, in a render of several. when: UTC, ISO 8601.
    carried: the plate's own Content Credentials, which the result keeps (`nodes.credentials.library.carried`).
    """

    part: PartOfShot
    when: str
    plate: str
    placed: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    provenance: Provenance = field(default_factory=Provenance)
    touched: tuple[str, ...] = ()
    plates: tuple[str, ...] = ()
    carried: bytes | None = field(default=None, repr=False)

    @property
    def source_type(self) -> str:
        """IPTC's digital source type of what was done."""
        return WITH_MODEL if self.models else COMPOSITE


def definition(claim: Claim, *assertions: dict[str, Any]) -> dict[str, Any]:
    """Return the definition that the library signs, with further assertions; all of them are the signer's own (`created`)."""
    ingredients = _ingredients(claim)
    own = (
        {"label": "c2pa.actions.v2", "data": {"actions": _actions(claim, ingredients)}},
        {"label": ASSERTION, "data": _assertion(claim)},
    )
    return {
        "claim_generator_info": [{"name": _AGENT, "version": claim.provenance.version}],
        "title": claim.part,
        "ingredients": [i for i in ingredients if claim.carried is None or i["label"] != "plate"],
        "assertions": [assertion | {"created": True} for assertion in (*own, *assertions)],
    }


def bound_to(digest: str, name: str) -> dict[str, Any]:
    """Return the assertion that binds to bytes of this SHA-256 (hex)."""
    data = {"name": name, "alg": "sha256", "hash": list(bytes.fromhex(digest)), "pad": []}
    return {"label": "c2pa.hash.data", "data": data}


def frames_of(hashes: Mapping[str, str]) -> dict[str, Any]:
    """Return the assertion that names each frame, so that a changed one can be named."""
    files = [{"name": name, "hash": digest} for name, digest in hashes.items()]
    return {"label": FRAMES, "data": {"alg": "sha256", "files": files}}


def plate_ingredient(plate: str) -> dict[str, Any]:
    """Return the plate, by its digest, as the origin of a result; its label is how actions name it."""
    return _ingredient("plate", "parentOf", f"faceplate:digest:{plate}")


def _ingredients(claim: Claim) -> list[dict[str, Any]]:
    plate = [plate_ingredient(claim.plate)]
    if claim.part == "plate":
        return plate
    if claim.plates:  # of several shots: no plate is its only origin
        plate = _many("plate", "componentOf", (claim.plate, *claim.plates))
    models = _many("model", "inputTo", claim.models, "sha256")
    return [
        *plate,
        *_many("source", "componentOf", claim.placed),
        *_many("shown", "inputTo", claim.given),
        *(model | {"data_types": [{"type": "c2pa.types.model.onnx"}]} for model in models),
    ]


def _many(name: str, relation: str, digests: tuple[str, ...], kind: str = "faceplate:digest") -> list[dict[str, Any]]:
    labels = [f"{name} {i}" if i > 1 else name for i in range(1, len(digests) + 1)]
    return [_ingredient(label, relation, f"{kind}:{d}") for label, d in zip(labels, digests, strict=True)]


def _ingredient(name: str, relation: str, identity: str) -> dict[str, Any]:
    return {"label": name, "title": name, "relationship": relation, "instance_id": identity}


def _actions(claim: Claim, ingredients: list[dict[str, Any]]) -> list[dict[str, Any]]:
    def done(action: str, description: str, source_type: str | None = None) -> dict[str, Any]:
        agent = {"name": _AGENT, "version": claim.provenance.version}
        kind = {"digitalSourceType": source_type} if source_type else {}
        return {"action": action, "when": claim.when, "softwareAgent": agent, "description": description, **kind}

    def named(relation: str) -> list[str]:
        return [i["label"] for i in ingredients if i["relationship"] == relation]

    opened: dict[str, Any] = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["plate"]}}
    if claim.part == "plate":
        return [opened, done("c2pa.transcoded", "The plate's frames, unchanged")]
    if claim.part == "returned":
        return [
            opened,
            done("c2pa.edited", f"What it shows may have been edited: {PARTS[claim.part].meaning}", claim.source_type),
        ]
    how = "a trained model" if claim.models else "a warp of the source's own pictures, without a trained model"
    edited = done("c2pa.edited", f"A face was replaced by {how}: {PARTS[claim.part].meaning}", claim.source_type)
    if claim.plates:
        opened = done("c2pa.created", "Edited from several shots", COMPOSITE)
    if inputs := named("inputTo"):
        edited["parameters"] = {"ingredientIds": inputs}
    placed = [{"action": "c2pa.placed", "parameters": {"ingredientIds": [name]}} for name in named("componentOf")]
    by_hand = [done("c2pa.edited", f"An artist had a hand in it: {what}", BY_HAND) for what in claim.touched]
    return [opened, *placed, edited, *by_hand]


def _assertion(claim: Claim) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "part": claim.part,
        "plates": [claim.plate, *claim.plates],
        "sources": [*claim.placed, *claim.given],
        "models": list(claim.models),
        "consents": [{"role": p.role, "records": list(p.consents)} for p in claim.provenance.performers],
        "footage": list(claim.provenance.footage),
        "unknown": list(claim.provenance.unknown),
        "touched": list(claim.touched),
    }


@dataclass(frozen=True, slots=True)
class SignedAction:
    """One action: its C2PA name, when by the signer's clock, and the last part of its digital source type."""

    action: str
    when: str | None
    source_type: str | None
    description: str | None


@dataclass(frozen=True, slots=True)
class ManifestSummary:
    """The active manifest, read back. swap: Faceplate's assertion, empty in others' manifests. frames: hashes by name, in their order.

    signer, issuer, serial: as its certificate has them. time: of the time-stamp server, None without one.
    """

    title: str | None
    software: str
    signer: str
    issuer: str
    serial: str
    time: str | None
    actions: tuple[SignedAction, ...] = ()
    ingredients: tuple[dict[str, str], ...] = ()
    swap: dict[str, Any] = field(default_factory=dict)
    frames: dict[str, str] = field(default_factory=dict)


def summary_of(manifest: dict[str, Any]) -> ManifestSummary:
    """Summarise a manifest from the library's reader; missing and malformed parts are left out."""
    data = {str(a.get("label")): a.get("data") for a in _dicts(manifest.get("assertions"))}
    signature = _dict(manifest.get("signature_info"))
    actions = _dict(data.get("c2pa.actions.v2") or data.get("c2pa.actions")).get("actions")
    frames = _dicts(_dict(data.get(FRAMES)).get("files"))
    software = (_texts(g, "name", "version").values() for g in _dicts(manifest.get("claim_generator_info")))
    return ManifestSummary(
        title=_texts(manifest, "title").get("title"),
        software=", ".join(" ".join(words) for words in software),
        signer=_texts(signature, "common_name").get("common_name", ""),
        issuer=_texts(signature, "issuer").get("issuer", ""),
        serial=_texts(signature, "cert_serial_number").get("cert_serial_number", ""),
        time=_texts(signature, "time").get("time"),
        actions=tuple(_action(a) for a in _dicts(actions)),
        ingredients=tuple(
            _texts(i, "title", "relationship", "instance_id") for i in _dicts(manifest.get("ingredients"))
        ),
        swap=_dict(data.get(ASSERTION)),
        frames={str(f["name"]): str(f["hash"]) for f in frames if {"name", "hash"} <= set(f)},
    )


def _action(action: dict[str, Any]) -> SignedAction:
    texts = _texts(action, "when", "digitalSourceType", "description")
    kind = texts.get("digitalSourceType")
    source_type = kind.rpartition("/")[2] if kind else None
    return SignedAction(str(action.get("action")), texts.get("when"), source_type, texts.get("description"))


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _texts(value: dict[str, Any], *names: str) -> dict[str, str]:
    return {name: value[name] for name in names if isinstance(value.get(name), str)}
