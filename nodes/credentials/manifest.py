"""A claim as a C2PA manifest definition: ingredients, actions (`c2pa.actions.v2`) and Faceplate's own assertion."""

from __future__ import annotations

from typing import Any

from nodes.credentials.claim import BY_HAND, COMPOSITE, PARTS, Claim

ASSERTION = "org.faceplate.swap"
SCHEMA = "faceplate.credentials/1"
_AGENT = "Faceplate"


def definition(claim: Claim, *assertions: dict[str, Any]) -> dict[str, Any]:
    """The definition that the library signs, with further assertions; all of them are the signer's own (`created`)."""
    own = (
        {"label": "c2pa.actions.v2", "data": {"actions": _actions(claim)}},
        {"label": ASSERTION, "data": _said(claim)},
    )
    return {
        "claim_generator_info": [{"name": _AGENT, "version": claim.provenance.version}],
        "title": claim.part,
        "ingredients": [i for i in _ingredients(claim) if claim.carried is None or i["label"] != "plate"],
        "assertions": [assertion | {"created": True} for assertion in (*own, *assertions)],
    }


def plate_ingredient(plate: str) -> dict[str, Any]:
    """The plate, by its digest, as what a result was made from; its label is how actions name it."""
    return _ingredient("plate", "parentOf", f"faceplate:digest:{plate}")


def _ingredients(claim: Claim) -> list[dict[str, Any]]:
    """The plate, and what else went in."""
    found = [plate_ingredient(claim.plate)]
    if claim.part == "plate":
        return found
    if claim.plates:  # of several shots: none of the plates is what it was made from alone
        plates = _labelled("plate", (claim.plate, *claim.plates))
        found = [_ingredient(n, "componentOf", f"faceplate:digest:{d}") for n, d in plates]
    found += [_ingredient(n, "componentOf", f"faceplate:digest:{d}") for n, d in _labelled("source", claim.placed)]
    found += [_ingredient(n, "inputTo", f"faceplate:digest:{d}") for n, d in _labelled("shown", claim.given)]
    onnx = {"data_types": [{"type": "c2pa.types.model.onnx"}]}
    return found + [_ingredient(n, "inputTo", f"sha256:{d}") | onnx for n, d in _labelled("model", claim.models)]


def _labelled(name: str, digests: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(f"{name} {i}" if i > 1 else name, digest) for i, digest in enumerate(digests, 1)]


def _ingredient(name: str, relation: str, identity: str) -> dict[str, Any]:
    return {"label": name, "title": name, "relationship": relation, "instance_id": identity}


def _actions(claim: Claim) -> list[dict[str, Any]]:
    opened: dict[str, Any] = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["plate"]}}
    if claim.part == "plate":
        return [opened, _done(claim, "c2pa.transcoded", "The plate's frames, unchanged")]
    if claim.part == "returned":
        edited = _done(claim, "c2pa.edited", f"What it shows may have been edited: {PARTS[claim.part]}")
        return [opened, edited | {"digitalSourceType": claim.source_type}]
    how = "a trained model" if claim.models else "a warp of the source's own pictures, without a trained model"
    edited = _done(claim, "c2pa.edited", f"A face was replaced by {how}: {PARTS[claim.part]}")
    edited["digitalSourceType"] = claim.source_type
    if claim.plates:
        opened = _done(claim, "c2pa.created", "Edited from several shots") | {"digitalSourceType": COMPOSITE}
    by_relation = {
        relation: [i["label"] for i in _ingredients(claim) if i["relationship"] == relation]
        for relation in ("componentOf", "inputTo")
    }
    placed = [{"action": "c2pa.placed", "parameters": {"ingredientIds": [n]}} for n in by_relation["componentOf"]]
    if by_relation["inputTo"]:
        edited["parameters"] = {"ingredientIds": by_relation["inputTo"]}
    by_hand = [
        _done(claim, "c2pa.edited", f"An artist had a hand in it: {what}") | {"digitalSourceType": BY_HAND}
        for what in claim.touched
    ]
    return [opened, *placed, edited, *by_hand]


def _done(claim: Claim, action: str, description: str) -> dict[str, Any]:
    agent = {"name": _AGENT, "version": claim.provenance.version}
    return {"action": action, "when": claim.when, "softwareAgent": agent, "description": description}


def _said(claim: Claim) -> dict[str, Any]:
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
