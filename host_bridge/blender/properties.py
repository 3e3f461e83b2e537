# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes' parameters as Blender's properties, made from `nodes.json`, the output of `faceplate nodes --json` at build time.

An optional number has a switch beside it, `NAME_auto`; an optional text or path is left open by an empty one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy

from .media import absolute
from .session import parameters_of

_OPEN = "_auto"
_SUBTYPES = {"pixels": "PIXEL", "seconds": "TIME_ABSOLUTE"}  # by units that Blender shows itself
_document = json.loads(Path(__file__).with_name("nodes.json").read_text("utf-8"))
DEFINITIONS: dict[str, dict[str, Any]] = {node["name"]: node for node in _document["nodes"]}
PARAMETERS = {name: parameters_of(node) for name, node in DEFINITIONS.items()}
PERFORMERS = [name for name, field in PARAMETERS["Swap"].items() if field["consent"] and field["per_shot"]]

PATH: Any = {"PATH_SUPPORTS_BLEND_RELATIVE"}  # without it a path that begins with // is shown as an error

# Properties of both nodes and the sequencer's settings.
SOURCE = bpy.props.StringProperty(
    name="Source",
    description="Footage of the performer whose face is put in: a movie, or a folder or pattern of pictures; in the sequencer, empty for the strips marked as such",
    subtype="FILE_PATH",
    options=PATH,
)
FOLDER = bpy.props.StringProperty(
    name="Folder",
    description="Where results are written; // is the folder of the .blend",
    default="//faceplate",
    subtype="DIR_PATH",
    options=PATH,
)
TRAINING_MINUTES = bpy.props.FloatProperty(
    name="Training Minutes",
    description="How long to train, all runs counted (minutes)",
    default=15,
    min=0.1,
    soft_max=600,
    options=set(),
)


def values(node: str, group: Any) -> dict[str, Any]:
    """Return the parameters for a request, without those that are left open."""
    request: dict[str, Any] = {}
    for name, field in _stored(node):
        if _has_switch(field) and getattr(group, name + _OPEN):
            continue
        value = getattr(group, name)
        if field["type"] == "array":
            value = [part for part in value.replace(",", " ").split() if part]
        elif field.get("format") == "path" and value:
            value = absolute(value)
        elif field["type"] == "number":
            value = float(f"{value:.6g}")  # Blender keeps single precision: 0.36, not 0.36000001430511475
        if field["open"] and value in ("", []):
            continue
        request[name] = value
    return request


def draw(layout: Any, node: str, group: Any) -> None:
    """Show the parameters, one below the other, except the performers, which are shown with consent."""
    layout.use_property_split, layout.use_property_decorate = True, False
    for name, field in _stored(node):
        if name in PERFORMERS:
            continue
        if _has_switch(field):
            row = layout.row(heading=_words(name, field))
            row.prop(group, name + _OPEN)
            if not getattr(group, name + _OPEN):
                row.prop(group, name, text="")
        else:
            layout.prop(group, name)


def of_consent(swap: dict[str, Any]) -> dict[str, Any]:
    """Select Swap's values that affect consent."""
    traits = PARAMETERS["Swap"]
    return {name: value for name, value in swap.items() if traits[name]["consent"] or traits[name]["per_shot"]}


def explained(field: dict[str, Any]) -> str:
    """Return the help of a parameter, with its unit; Blender adds the full stop."""
    text: str = field["description"].rstrip(".")
    return f"{text} ({field['unit']})" if field.get("unit") else text


def _stored(node: str) -> list[tuple[str, dict[str, Any]]]:
    """List the parameters that are not sockets of the node: sockets act in the compositor, at once."""
    return [(name, field) for name, field in PARAMETERS[node].items() if not field["live"]]


def _words(name: str, field: dict[str, Any]) -> str:
    """Return the label of a parameter."""
    return field.get("label") or name.replace("_", " ").title()


def _has_switch(field: dict[str, Any]) -> bool:
    return bool(field["open"]) and field["type"] in ("number", "integer")


def _settings(node: str) -> type:
    """Make a property group with all parameters of a node."""
    annotations: dict[str, Any] = {}
    for name, field in _stored(node):
        annotations[name] = _property(name, field)
        if _has_switch(field):
            annotations[name + _OPEN] = bpy.props.BoolProperty(
                name="Automatic", description=field["description"], default=field["default"] is None, options=set()
            )
    return type(f"Faceplate{node}Settings", (bpy.types.PropertyGroup,), {"__annotations__": annotations})


def _property(name: str, field: dict[str, Any]) -> Any:
    kind, default = field["type"], field["default"]
    options = {"ANIMATABLE"} if field.get("keyframeable") else set()
    common: dict[str, Any] = {"name": _words(name, field), "description": explained(field), "options": options}
    limits = {b: field[a] for a, b in (("minimum", "min"), ("maximum", "max")) if a in field}
    if "enum" in field:
        choices = field.get("choices", {})
        items = [(value, *choices.get(value, (value.title(), ""))) for value in field["enum"]]
        return bpy.props.EnumProperty(items=items, default=default, **common)
    if kind == "boolean":
        return bpy.props.BoolProperty(default=default, **common)
    if kind in ("integer", "number"):
        make = bpy.props.IntProperty if kind == "integer" else bpy.props.FloatProperty
        display: dict[str, Any] = (
            {"step": field.get("multipleOf", 1)} if kind == "integer" else {"precision": 3, "step": 1}
        )
        if subtype := _SUBTYPES.get(field.get("unit", "")):
            display["subtype"] = subtype
        elif kind == "number" and (limits.get("min"), limits.get("max")) == (0, 1):
            display["subtype"] = "FACTOR"
        return make(default=limits["min"] if default is None else default, **limits, **display, **common)
    if field.get("format") == "path":
        common |= {"subtype": "FILE_PATH", "options": PATH}
    return bpy.props.StringProperty(default=" ".join(default or ()) if kind == "array" else default or "", **common)


SETTINGS = {name: _settings(name) for name in DEFINITIONS}
