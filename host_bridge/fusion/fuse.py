"""A node's Fuse as Lua source: its parameters as controls, from the same schema that `faceplate nodes --json` prints, in one template for all nodes.

`fuse.lua.jinja` is the Fuse, `create.lua.jinja` its controls, `pixels.lua.jinja` functions that Fusion runs elsewhere; `button.lua.jinja` is what a
button runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from host_bridge.fusion.lua import templates
from host_bridge.session import parameters_of
from nodes.definitions import NODES
from nodes.spec import Node

_LABELS = {
    "consent": "Consent",
    "analyse": "Analyse",
    "preview": "Preview frame",
    "render": "Render range",
    "train": "Train",
    "verify": "Verify",
    "monitor": "Open monitor",
}
_OF_ALL = ("analyse", "monitor")  # the others are of what has a patch
ControlKind = Literal["number", "integer", "flag", "choice", "text", "path", "list"]
_KINDS: dict[str, ControlKind] = {"number": "number", "integer": "integer", "boolean": "flag", "array": "list"}


@dataclass(frozen=True, slots=True)
class Control:
    """One parameter. id: of its input. switch: id of the checkbox without which it stays at its default, where that is none. step: it is a multiple of this.

    attributes: what AddInput is given, its key "" holding the entries of a list.
    """

    name: str
    kind: ControlKind
    label: str
    id: str
    option: str
    default: Any
    choices: tuple[str, ...]
    attributes: dict[str, Any]
    help: str
    switch: str | None = None
    step: int | None = None

    @property
    def field(self) -> dict[str, Any]:
        """Description of the control for buttons."""
        keys = ("name", "id", "kind", "option", "default", "choices", "switch", "step")
        return {key: value for key in keys if (value := getattr(self, key)) not in (None, ())}


def controls(node: Node) -> list[Control]:
    """List the controls of a node, in the order of its parameters."""
    return [_control(name, field) for name, field in parameters_of(node.schema()).items()]


def _control(name: str, field: dict[str, Any]) -> Control:
    kind, default, choices = _kind(field), field.get("default"), tuple(field.get("enum", ()))
    unit = f" ({field['unit']})" if field.get("unit") else ""
    help_text = field["description"] + (f" Unit: {field['unit']}." if unit else "")
    words = name.split("_")
    id, label = "".join(w.capitalize() for w in words), " ".join(words).capitalize()
    attributes: dict[str, Any] = {"LINKID_DataType": "Text" if kind in ("text", "path", "list") else "Number"}
    # Part of what a job is asked for: the picture that is shown does not change by it, but undo takes it back.
    attributes |= {"INPS_StatusText": help_text, "INP_InteractivePassive": True, "INP_External": False}
    if kind in ("number", "integer"):
        low, high = field["minimum"], field["maximum"]
        attributes |= {"INPID_InputControl": "SliderControl", "INP_Default": low if default is None else default}
        attributes |= {"INP_MinScale": low, "INP_MaxScale": high, "INP_MinAllowed": low, "INP_MaxAllowed": high}
        attributes |= {"INP_Integer": kind == "integer"}
    elif kind == "flag":
        attributes |= {"INPID_InputControl": "CheckboxControl", "INP_Integer": True, "INP_Default": int(bool(default))}
    elif kind == "choice":
        attributes |= {"INPID_InputControl": "ComboControl", "INP_Integer": True, "INP_Default": choices.index(default)}
        attributes[""] = [{"CCS_AddString": choice} for choice in choices]
    elif kind == "path":
        attributes |= {"INPID_InputControl": "FileControl", "INPS_DefaultText": default or ""}
    else:
        text = ", ".join(default) if isinstance(default, list) else default or ""
        attributes |= {"INPID_InputControl": "TextEditControl", "INPS_DefaultText": text, "TEC_Lines": 1}
    return Control(
        name=name,
        kind=kind,
        label=label + unit,
        id=id,
        option=field.get("option") or name.replace("_", "-"),
        default=default,
        choices=choices,
        attributes=attributes,
        help=help_text,
        switch=f"Own{id}" if field["open"] and kind in ("number", "integer") else None,
        step=field.get("multipleOf"),
    )


def _kind(field: dict[str, Any]) -> ControlKind:
    if "enum" in field:
        return "choice"
    return "path" if field.get("format") == "path" else _KINDS.get(field["type"], "text")


def render_fuse(node: Node, python: str, watched: str | None = None) -> str:
    """Write the Fuse of a node. python: the interpreter of Faceplate's environment, which buttons start.

    watched: folder of `faceplate engine watch`, where answers lie in editions that let buttons start nothing.
    """
    environment = templates()
    fields = {each.name.lower(): [control.field for control in controls(each)] for each in NODES}
    button = environment.get_template("button.lua.jinja").render(
        node=node.name.lower(), fields=fields, python=python, watched=watched and watched.replace("\\", "/")
    )
    types = {port.type for port in node.outputs}
    has_patch = "patch" in types
    return environment.get_template("fuse.lua.jinja").render(
        node=node,
        help=(node.parameters.__doc__ or "").strip(),
        controls=controls(node),
        cast=node.parameters.having("consent"),
        has_patch=has_patch,
        has_matte="matte" in types,
        buttons=[(action, label) for action, label in _LABELS.items() if has_patch or action in _OF_ALL],
        button=button,
    )
