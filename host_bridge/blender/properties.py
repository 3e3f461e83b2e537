# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes' parameters as Blender's properties, made from `nodes.json`: what `faceplate nodes --json` said when the extension was built.

A number that may be left open has a switch beside it, `NAME_auto`; of texts and paths the empty one leaves it open.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import bpy

from . import consent

SCHEMA = "faceplate.nodes/1"
_OPEN = "_auto"


@cache
def definitions() -> dict[str, dict[str, Any]]:
    """The nodes by name, each with ports and the JSON Schema of its parameters."""
    told = json.loads((Path(__file__).parent / "nodes.json").read_text("utf-8"))
    if told["schema"] != SCHEMA:
        raise ValueError(f"nodes.json is {told['schema']}, not {SCHEMA}: build the extension again")
    return {node["name"]: node for node in told["nodes"]}


def parameters(node: str) -> dict[str, dict[str, Any]]:
    """The parameters of a node: name → JSON Schema with what is referred to put in its place, `open` where null will do."""
    schema = definitions()[node]["parameters"]
    found = {}
    for name, told in schema["properties"].items():
        kinds = [kind for kind in told.get("anyOf", ()) if kind != {"type": "null"}]
        referred = [told, *kinds]
        refs = [schema["$defs"][one["$ref"].rpartition("/")[2]] for one in referred if "$ref" in one]
        found[name] = {**told, **{k: v for one in (*kinds, *refs) for k, v in one.items() if k != "description"}}
        found[name] |= {"open": bool(kinds)}
    return found


def settings_class(node: str) -> type:
    """A property group with all parameters of a node that are not sockets."""
    annotations: dict[str, Any] = {}
    for name, told in parameters(node).items():
        if told["live"]:  # a socket of the node: it acts in the compositor, at once
            continue
        annotations[name] = _property(name, told)
        if _has_switch(told):
            annotations[name + _OPEN] = bpy.props.BoolProperty(
                name="Automatic", description=told["description"], default=told["default"] is None, options=set()
            )
    return type(f"Faceplate{node}Settings", (bpy.types.PropertyGroup,), {"__annotations__": annotations})


def values(node: str, group: Any) -> dict[str, Any]:
    """The parameters as a request takes them; what is left open is left out."""
    found: dict[str, Any] = {}
    for name, told in parameters(node).items():
        if told["live"] or (_has_switch(told) and getattr(group, name + _OPEN)):
            continue
        value = getattr(group, name)
        if told["type"] == "array":
            value = [part for part in value.replace(",", " ").split() if part]
        elif told.get("format") == "path" and value:
            value = str(Path(bpy.path.abspath(value)).absolute())
        elif told["type"] == "number":
            value = float(f"{value:.6g}")  # Blender keeps single precision: 0.36, not 0.36000001430511475
        if told["open"] and value in ("", []):
            continue
        found[name] = value
    return found


def draw(layout: Any, node: str, group: Any) -> None:
    """Show the parameters, one below the other; who the performers are is shown where consent is."""
    for name, told in parameters(node).items():
        if told["live"] or name in performers():
            continue
        if _has_switch(told):
            row = layout.row(align=True)
            row.prop(group, name + _OPEN)
            side = row.row(align=True)
            side.enabled = not getattr(group, name + _OPEN)
            side.prop(group, name)
        else:
            layout.prop(group, name)


def performers() -> list[str]:
    """The parameters of Swap that say who is replaced by whom, empty for whom the footage shows."""
    return [name for name, told in parameters("Swap").items() if told["consent"] and told["per_shot"]]


def words(name: str) -> str:
    """A name as people read it."""
    return name.replace("_", " ").title()


def explained(told: dict[str, Any]) -> str:
    """The help of a parameter, with its unit; Blender puts the full stop itself."""
    text: str = told["description"].rstrip(".")
    return f"{text} ({told['unit']})" if told.get("unit") else text


def _has_switch(told: dict[str, Any]) -> bool:
    return bool(told["open"]) and told["type"] in ("number", "integer")


def _property(name: str, told: dict[str, Any]) -> Any:
    common: dict[str, Any] = {
        "name": words(name),
        "description": explained(told),
        "options": {"ANIMATABLE"} if told.get("keyframeable") else set(),
        **({"update": consent.changed} if name in consent.OF_SWAP else {}),
    }
    default = told["default"]
    limits = {b: told[a] for a, b in (("minimum", "min"), ("maximum", "max")) if a in told}
    kind = told["type"]
    if "enum" in told:
        items = [(value, words(value), "") for value in told["enum"]]
        return bpy.props.EnumProperty(items=items, default=default, **common)
    if kind == "boolean":
        return bpy.props.BoolProperty(default=default, **common)
    if kind == "integer":
        step = {"step": told["multipleOf"]} if "multipleOf" in told else {}
        return bpy.props.IntProperty(default=limits["min"] if default is None else default, **limits, **step, **common)
    if kind == "number":
        shown = {"precision": 3, "step": 1}
        return bpy.props.FloatProperty(
            default=limits["min"] if default is None else default, **limits, **shown, **common
        )
    if told.get("format") == "path":
        return bpy.props.StringProperty(default=default or "", subtype="FILE_PATH", **common)
    return bpy.props.StringProperty(default=" ".join(default or ()) if kind == "array" else default or "", **common)
