"""Command-line options from the definitions of the nodes: their help also tells unit and range."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import cache
from typing import Annotated, Any, TypeVar, cast, get_type_hints

from cyclopts import Group, Parameter
from pydantic import create_model

from nodes.definitions import NODES, AlignParameters, DetectParameters, MaskParameters, SwapParameters
from nodes.spec import Parameters

# What a command's arguments stand at when no option is given.
DETECT, ALIGN, MASK, SWAP = DetectParameters(), AlignParameters(), MaskParameters(), SwapParameters()

_FUSION = "Write what Faceplate's Fuses in Fusion read too, into a folder `fusion` in --out."
_ENGINE = "Run it in Faceplate's engine, which goes on when this terminal is closed; `faceplate jobs` lists it."
_RATE = "Frames per second of image sequences that do not say, as 25 or 24000/1001."
_RANGE = "Frames A-B of the clip, both included, by its own numbers (a movie's first frame is 0); by default all."

Flag = Annotated[bool, Parameter(negative=(), show_default=False)]
Json = Annotated[Flag, Parameter(help="Print the result as JSON.")]
InEngine = Annotated[Flag, Parameter(name="--engine", help=_ENGINE)]
ForFusion = Annotated[Flag, Parameter(name="--fusion", help=_FUSION)]
Rate = Annotated[str | None, Parameter(name="--rate", help=_RATE)]
Range = Annotated[str | None, Parameter(name="--range", help=_RANGE)]
Numbers = Annotated[tuple[int, ...], Parameter(negative_iterable=(), show_default=False)]

F = TypeVar("F", bound=Callable[..., Any])
_GROUPS = {node.parameters: Group(node.name, sort_key=10 + i) for i, node in enumerate(NODES)}


def node_options(command: F) -> F:
    """Turn each argument of `command` that is a node's parameters, or other Parameters, into options."""
    hints = get_type_hints(command, include_extras=True)
    for name, hint in hints.items():
        if isinstance(hint, type) and issubclass(hint, Parameters):
            flat = Parameter(
                name="*",
                group=_GROUPS.get(hint) or Group(title(hint), sort_key=5),
                negative_iterable=(),
                negative_none=(),
                consume_multiple=True,
                name_transform=_plain,
            )
            hints[name] = Annotated[_described(hint), flat]
    command.__annotations__ = hints
    return command


def limits(metadata: list[Any]) -> tuple[float | None, float | None]:
    """Lowest and highest value that pydantic's limits allow."""
    low = next((m.ge for m in metadata if hasattr(m, "ge")), None)
    high = next((m.le for m in metadata if hasattr(m, "le")), None)
    return low, high


def explained(description: str, extra: object, metadata: list[Any]) -> str:
    """A parameter's help with its range and unit: `Opacity of the patch (0 to 1).`"""
    unit = str(extra.get("unit") or "") if isinstance(extra, dict) else ""
    low, high = limits(metadata)
    allowed = "" if low is None or high is None else f"{low:g} to {high:g}"
    told = " ".join(part for part in (allowed, unit) if part)
    return f"{description.rstrip('.')}{f' ({told})' if told else ''}."


def option_of(name: str, extra: object) -> str:
    """What a parameter is called on the command line, without the dashes before it."""
    told = extra.get("option") if isinstance(extra, dict) else None
    return str(told or _plain(name))


def title(model: type[Parameters]) -> str:
    """What the options of a model are headed with: `Detect`, `Train`."""
    return model.__name__.removesuffix("Parameters").removesuffix("Settings")


@cache
def _described(model: type[Parameters]) -> type[Parameters]:
    fields: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        twin = copy(field)
        twin.description = explained(field.description or "", field.json_schema_extra, field.metadata)
        spelt, kind = option_of(name, field.json_schema_extra), cast(Any, field.annotation)
        fields[name] = (kind if spelt == _plain(name) else Annotated[kind, Parameter(name=f"--{spelt}")], twin)
    return create_model(model.__name__, __base__=model, __doc__=model.__doc__, **fields)


def _plain(name: str) -> str:
    """Spell an option or a choice as it is defined: `s3fd`, not `s3-fd`."""
    return name.lower().replace("_", "-")
