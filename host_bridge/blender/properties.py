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
    document = json.loads((Path(__file__).parent / "nodes.json").read_text("utf-8"))
    if document["schema"] != SCHEMA:
        raise ValueError(f"nodes.json is {document['schema']}, not {SCHEMA}: build the extension again")
    return {node["name"]: node for node in document["nodes"]}


def parameters(node: str) -> dict[str, dict[str, Any]]:
    """The parameters of a node: name → JSON Schema with what is referred to put in its place, `open` where null will do."""
    schema = definitions()[node]["parameters"]
    fields = {}
    for name, field in schema["properties"].items():
        kinds = [kind for kind in field.get("anyOf", ()) if kind != {"type": "null"}]
        referred = [field, *kinds]
        refs = [schema["$defs"][each["$ref"].rpartition("/")[2]] for each in referred if "$ref" in each]
        fields[name] = {**field, **{k: v for each in (*kinds, *refs) for k, v in each.items() if k != "description"}}
        fields[name] |= {"open": bool(kinds)}
    return fields


def settings_class(node: str) -> type:
    """A property group with all parameters of a node that are not sockets."""
    annotations: dict[str, Any] = {}
    for name, field in parameters(node).items():
        if field["live"]:  # a socket of the node: it acts in the compositor, at once
            continue
        annotations[name] = _property(name, field)
        if _has_switch(field):
            annotations[name + _OPEN] = bpy.props.BoolProperty(
                name="Automatic", description=field["description"], default=field["default"] is None, options=set()
            )
    return type(f"Faceplate{node}Settings", (bpy.types.PropertyGroup,), {"__annotations__": annotations})


def values(node: str, group: Any) -> dict[str, Any]:
    """The parameters as a request takes them; what is left open is left out."""
    request: dict[str, Any] = {}
    for name, field in parameters(node).items():
        if field["live"] or (_has_switch(field) and getattr(group, name + _OPEN)):
            continue
        value = getattr(group, name)
        if field["type"] == "array":
            value = [part for part in value.replace(",", " ").split() if part]
        elif field.get("format") == "path" and value:
            value = str(Path(bpy.path.abspath(value)).absolute())
        elif field["type"] == "number":
            value = float(f"{value:.6g}")  # Blender keeps single precision: 0.36, not 0.36000001430511475
        if field["open"] and value in ("", []):
            continue
        request[name] = value
    return request


def draw(layout: Any, node: str, group: Any) -> None:
    """Show the parameters, one below the other; who the performers are is shown where consent is."""
    for name, field in parameters(node).items():
        if field["live"] or name in performers():
            continue
        if _has_switch(field):
            row = layout.row(align=True)
            row.prop(group, name + _OPEN)
            side = row.row(align=True)
            side.enabled = not getattr(group, name + _OPEN)
            side.prop(group, name)
        else:
            layout.prop(group, name)


def performers() -> list[str]:
    """The parameters of Swap that say who is replaced by whom, empty for whom the footage shows."""
    return [name for name, field in parameters("Swap").items() if field["consent"] and field["per_shot"]]


def of_consent(swap: dict[str, Any]) -> dict[str, Any]:
    """Those of Swap's values on which it depends whether a shot may be made."""
    traits = parameters("Swap")
    return {name: value for name, value in swap.items() if traits[name]["consent"] or traits[name]["per_shot"]}


def words(name: str) -> str:
    """A name as people read it."""
    return name.replace("_", " ").title()


def explained(field: dict[str, Any]) -> str:
    """The help of a parameter, with its unit; Blender puts the full stop itself."""
    text: str = field["description"].rstrip(".")
    return f"{text} ({field['unit']})" if field.get("unit") else text


def _has_switch(field: dict[str, Any]) -> bool:
    return bool(field["open"]) and field["type"] in ("number", "integer")


def _property(name: str, field: dict[str, Any]) -> Any:
    common: dict[str, Any] = {
        "name": words(name),
        "description": explained(field),
        "options": {"ANIMATABLE"} if field.get("keyframeable") else set(),
        **({"update": consent.changed} if field["consent"] or field["per_shot"] else {}),
    }
    default = field["default"]
    limits = {b: field[a] for a, b in (("minimum", "min"), ("maximum", "max")) if a in field}
    kind = field["type"]
    if "enum" in field:
        items = [(value, words(value), "") for value in field["enum"]]
        return bpy.props.EnumProperty(items=items, default=default, **common)
    if kind == "boolean":
        return bpy.props.BoolProperty(default=default, **common)
    if kind == "integer":
        step = {"step": field["multipleOf"]} if "multipleOf" in field else {}
        return bpy.props.IntProperty(default=limits["min"] if default is None else default, **limits, **step, **common)
    if kind == "number":
        shown = {"precision": 3, "step": 1}
        return bpy.props.FloatProperty(
            default=limits["min"] if default is None else default, **limits, **shown, **common
        )
    if field.get("format") == "path":
        return bpy.props.StringProperty(default=default or "", subtype="FILE_PATH", **common)
    return bpy.props.StringProperty(default=" ".join(default or ()) if kind == "array" else default or "", **common)
