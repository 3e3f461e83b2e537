"""The graph of a shot: each node is called once, with the values of its input ports, and returns those of its output ports.

    plate ── Detect ─ Choose ─ Align ─ Mask ─ Swap ─ patch, matte
    source ─ Detect ─ Choose ─────────────────┘

A node decides for the whole shot when it is called. Footage, mattes and patches are streams: a frame of theirs is computed
on request, and never computed or copied twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

from nodes.choice import ChooseParameters
from nodes.definitions import ALIGN, DETECT, MASK, SWAP, Settings
from nodes.errors import FaceplateError
from nodes.footage.footage import Footage
from nodes.mask import Mattes
from nodes.progress import Progress, quiet
from nodes.spec import Node, Parameters, Port, PortType
from nodes.swap.swap import PatchStream
from nodes.types import Faces

TYPES: dict[PortType, type | tuple[type, ...]] = {
    "footage": Footage,
    "faces": Faces,
    "crops": tuple,  # of `nodes.align.Alignment`
    "matte": (Mattes, Footage, PatchStream),  # drawn in crops, an artist's own, or the alpha of patches
    "patch": PatchStream,
}
CHOOSE = Node(
    name="Choose",
    inputs=(Port("plate", "footage"), Port("found", "faces"), Port("performer", "footage", optional=True)),
    outputs=(Port("faces", "faces"),),
    parameters=ChooseParameters,
    compute="nodes.choice:choose",
)


@dataclass(frozen=True, slots=True)
class Step:
    """A node in a graph. names: names of ports' values in the graph, where they differ from the port's own.

    stage: name of its progress. beside: it works on all of some footage beside the plate, and is skipped without it.
    """

    node: Node
    names: Mapping[str, str] = field(default_factory=dict)
    stage: str = ""
    beside: bool = False


STEPS = (
    Step(DETECT, {"faces": "found"}, "detect plate"),
    Step(CHOOSE, {"performer": "target_known"}),
    Step(ALIGN),
    Step(MASK),
    Step(DETECT, {"plate": "source", "faces": "source_found"}, "detect source", beside=True),
    Step(
        CHOOSE,
        {"plate": "source", "found": "source_found", "faces": "source_faces", "performer": "source_known"},
        beside=True,
    ),
    Step(SWAP, stage="prepare"),
)


def run(
    given: Mapping[str, Any],
    settings: Settings | Mapping[str, Parameters],
    *,
    upto: Node = SWAP,
    tracks: Sequence[int] = (),
    first: int = 0,
    last: int | None = None,
    progress: Progress = quiet,
    stage: str = "",
    steps: Sequence[Step] = STEPS,
) -> dict[str, Any]:
    """Call the nodes up to one, and return all values by name, those that were given among them.

    given: values by name, such as `plate`, `source` and `roto`, and `target_known` and `source_known`, other footage of the same performers; None counts as missing. A step whose outputs are all given is skipped.
    tracks: ids of the plate's chosen tracks, see `nodes.choice`. first, last: the plate's frames, inclusive. stage: name of
    the progress of detection in the plate. Raises FaceplateError for an input that is missing, and what the nodes raise.
    """
    values = given = {name: value for name, value in given.items() if value is not None}
    final = max(i for i, step in enumerate(steps) if step.node is upto)
    for step in steps[: final + 1]:
        node, names = step.node, step.names
        missing = [
            port.name for port in node.inputs if not port.optional and names.get(port.name, port.name) not in values
        ]
        if all(names.get(port.name, port.name) in given for port in node.outputs) or (missing and step.beside):
            continue
        if missing:
            raise FaceplateError(f"{node.name} needs '{missing[0]}', which nothing gives", remedy="Connect it")
        context: dict[str, Any] = {"progress": progress, "name": step.stage}
        if step.beside:
            parameters = {**dict(settings), "choose": ChooseParameters()}
        else:
            parameters = {**dict(settings), "choose": ChooseParameters(tracks=tuple(tracks))}
            context |= {"first": first, "last": last, "name": stage if stage and node is DETECT else step.stage}
        accepted = signature(node.function).parameters
        result = node.function(
            **{port.name: values.get(names.get(port.name, port.name)) for port in node.inputs},
            parameters=parameters.get(node.name.lower(), node.parameters()),
            **{name: value for name, value in context.items() if name in accepted},
        )
        values = values | {names.get(name, name): value for name, value in outputs_of(node, result).items()}
    return values


def outputs_of(node: Node, result: Any) -> dict[str, Any]:
    """Return the values of a node's output ports by name: one value for all of them, or a named tuple with one for each.

    Raises TypeError where a value is not of its port's type.
    """
    values = result._asdict() if hasattr(result, "_asdict") else {port.name: result for port in node.outputs}
    for port in node.outputs:
        if not isinstance(values.get(port.name), TYPES[port.type]):
            kind = type(values.get(port.name)).__name__
            raise TypeError(f"{node.name} gives {kind} for its port '{port.name}' ({port.type})")
    return values
