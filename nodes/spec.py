"""Node definitions: ports, parameters with range, unit and help, and their JSON schema."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Trait = Literal["keyframeable", "decides", "live", "consent", "per_shot"]
PortType = Literal["footage", "faces", "crops", "matte", "patch"]


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output of a node."""

    name: str
    type: PortType
    optional: bool = False


def parameter(
    default: Any,
    *,
    help: str,
    unit: str | None = None,
    keyframeable: bool = False,
    decides: bool = False,
    live: bool = False,
    consent: bool = False,
    per_shot: bool = False,
    option: str | None = None,
    label: str | None = None,
    choices: dict[str, tuple[str, str]] | None = None,
    **limits: Any,
) -> Any:
    """Declare a parameter: default, help, unit, traits, and pydantic limits (ge, le, ...).

    keyframeable: can be keyframed. decides: changes what is decided once for the whole shot, before its first picture.
    live: acts in the host's own compositor, at once. consent: names performers or records of consent; no pixel depends on it.
    per_shot: an edit decides it for each of its shots. option: its name on the command line, if different. label: its name in hosts, if
    different. choices: label and help of each value, for hosts.
    """
    flags: dict[Trait, bool] = {
        "keyframeable": keyframeable,
        "decides": decides,
        "live": live,
        "consent": consent,
        "per_shot": per_shot,
    }
    words = {"unit": unit, "option": option, "label": label, "choices": choices}
    extra: dict[str, Any] = {**flags} | {name: value for name, value in words.items() if value}
    return Field(default, description=help, json_schema_extra=extra, validate_default=True, **limits)


class Parameters(BaseModel):
    """The parameters of one node: validated, immutable, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def having(cls, trait: Trait) -> set[str]:
        """Return the names of the parameters that were declared with a trait, such as `decides`."""
        extras = ((name, field.json_schema_extra) for name, field in cls.model_fields.items())
        return {name for name, extra in extras if isinstance(extra, dict) and extra[trait]}


@dataclass(frozen=True, slots=True)
class Node:
    """A node: its ports, its parameters and its function, as `module:function`."""

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    parameters: type[Parameters]
    compute: str

    @property
    def function(self) -> Callable[..., Any]:
        """The function that computes this node, imported when first asked for."""
        module, name = self.compute.split(":")
        function: Callable[..., Any] = getattr(import_module(module), name)
        return function

    def schema(self) -> dict[str, Any]:
        """Describe the node as JSON: ports, and its parameters as JSON Schema with `unit` and traits."""
        ports = {
            side: [{"name": p.name, "type": p.type, "optional": p.optional} for p in ports]
            for side, ports in (("inputs", self.inputs), ("outputs", self.outputs))
        }
        return {
            "name": self.name,
            "help": (self.parameters.__doc__ or "").strip(),
            **ports,
            "parameters": self.parameters.model_json_schema(),
        }
