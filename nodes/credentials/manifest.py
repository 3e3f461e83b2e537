"""A claim as a C2PA manifest definition: ingredients, actions (`c2pa.actions.v2`) and Faceplate's own assertion."""

from __future__ import annotations

from typing import Any

from nodes.credentials.claim import BY_HAND, PARTS, WITH_MODEL, WITH_REFERENCE, Claim

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
    if claim.source is not None:
        relation = "componentOf" if claim.method == "reference" else "inputTo"
        found.append(_ingredient("source", relation, f"faceplate:digest:{claim.source}"))
    if claim.model is not None:
        model = _ingredient("model", "inputTo", f"sha256:{claim.model}")
        found.append(model | {"data_types": [{"type": "c2pa.types.model.onnx"}]})
    return found


def _ingredient(name: str, relation: str, identity: str) -> dict[str, Any]:
    return {"label": name, "title": name, "relationship": relation, "instance_id": identity}


def _actions(claim: Claim) -> list[dict[str, Any]]:
    opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["plate"]}}
    if claim.part == "plate":
        return [opened, _done(claim, "c2pa.transcoded", "The plate's frames, unchanged")]
    named = [i["label"] for i in _ingredients(claim) if i["relationship"] == "inputTo"]
    edited = _done(claim, "c2pa.edited", f"A face was replaced by the method '{claim.method}': {PARTS[claim.part]}")
    edited["digitalSourceType"] = WITH_MODEL if claim.method == "model" else WITH_REFERENCE
    if named:
        edited["parameters"] = {"ingredientIds": named}
    placed = {"action": "c2pa.placed", "parameters": {"ingredientIds": ["source"]}}
    by_hand = [
        _done(claim, "c2pa.edited", f"An artist had a hand in it: {what}") | {"digitalSourceType": BY_HAND}
        for what in claim.touched
    ]
    has_source = claim.source is not None and claim.method == "reference"
    return [opened, *([placed] if has_source else []), edited, *by_hand]


def _done(claim: Claim, action: str, description: str) -> dict[str, Any]:
    agent = {"name": _AGENT, "version": claim.provenance.version}
    return {"action": action, "when": claim.when, "softwareAgent": agent, "description": description}


def _said(claim: Claim) -> dict[str, Any]:
    told = {
        "schema": SCHEMA,
        "part": claim.part,
        "method": claim.method,
        "plate": claim.plate,
        "source": claim.source,
        "model": claim.model,
        "consents": [{"role": p.role, "records": list(p.consents)} for p in claim.provenance.performers],
        "footage": list(claim.provenance.footage),
        "unknown": list(claim.provenance.unknown),
        "touched": list(claim.touched),
    }
    return {name: value for name, value in told.items() if value is not None}
