"""The graph: nodes keep to their ports, and a fifth node is a definition and a function."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from inspect import signature

import numpy as np
import pytest

from nodes.definitions import ALIGN, MASK, NODES, AlignParameters, Settings, SwapParameters
from nodes.detect import detect
from nodes.errors import FaceplateError
from nodes.footage.footage import Footage
from nodes.footage.frame import Frame
from nodes.graph import CHOOSE, STEPS, Step, outputs_of, run
from nodes.spec import Node, Parameters, Port, parameter
from nodes.swap import PatchStream, SwapPlan, in_plate
from nodes.types import Faces, Patch
from tests.support.memory import clip_of

CONTEXT = {"first", "last", "progress", "name", "checkpoint"}


@pytest.fixture(scope="module")
def plate(plate_pictures) -> Footage:
    return clip_of(plate_pictures[:12])


@pytest.fixture(scope="module")
def plate_faces(plate) -> Faces:
    return detect(plate)


@pytest.mark.parametrize("node", [*NODES, CHOOSE], ids=lambda node: node.name)
def test_a_function_takes_its_ports_and_parameters_and_at_most_frames_and_progress_besides(node):
    taken = signature(node.function).parameters
    ports = {port.name for port in node.inputs}
    assert ports | {"parameters"} <= set(taken) <= ports | {"parameters"} | CONTEXT
    for port in node.inputs:
        assert not port.optional or taken[port.name].default is None, port.name


def test_the_settings_of_a_shot_are_those_of_its_nodes():
    assert {node.name.lower(): node.parameters for node in NODES} == {
        name: field.annotation for name, field in Settings.model_fields.items()
    }


def test_the_graph_gives_what_the_nodes_give_one_after_the_other(plate, plate_faces, source, source_faces):
    values = run({"plate": plate, "found": plate_faces, "source": source, "source_found": source_faces}, Settings())
    assert isinstance(values["patch"], SwapPlan) and values["matte"] is values["patch"]
    assert values["faces"].tracks == plate_faces.tracks and len(values["crops"]) == 1
    assert values["mattes"].crops is values["crops"]
    (_, patch), *_ = values["patch"].patches(plate.frames(0, 3))
    assert not patch.roi.empty


def test_it_goes_no_further_than_it_is_asked(plate, plate_faces):
    values = run({"plate": plate, "found": plate_faces}, Settings(align=AlignParameters(size=64)), upto=ALIGN)
    assert values.keys() == {"plate", "found", "faces", "crops"} and values["crops"][0].size == 64


def test_a_node_without_what_it_needs_says_so(plate_faces):
    with pytest.raises(FaceplateError, match="Choose needs 'plate'"):
        run({"found": plate_faces}, Settings(), upto=ALIGN)


class FadeParameters(Parameters):
    """Fade the patches of a shot."""

    amount: float = parameter(0.5, ge=0, le=1, help="How much is left of the patches.")


@dataclass(frozen=True)
class Faded:
    """Patches of which only a share is left."""

    patch: PatchStream
    amount: float

    @property
    def lookahead(self) -> int:
        return self.patch.lookahead

    def patches(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Patch]]:
        for frame, patch in self.patch.patches(frames):
            yield frame, replace(patch, rgba=patch.rgba * np.float32(self.amount))


def fade(patch: PatchStream, parameters: FadeParameters) -> Faded:
    return Faded(patch, parameters.amount)


FADE = Node("Fade", (Port("patch", "patch"),), (Port("patch", "patch"),), FadeParameters, f"{__name__}:fade")


def test_a_fifth_node_is_a_definition_and_a_function(plate, plate_faces, source, source_faces):
    given = {"plate": plate, "found": plate_faces, "source": source, "source_found": source_faces}
    settings = {"swap": SwapParameters(light=0), "fade": FadeParameters(amount=0.25)}
    before = run(given, settings)
    after = run(given, settings, upto=FADE, steps=(*STEPS, Step(FADE)))
    (_, whole), *_ = before["patch"].patches(plate.frames(0, 1))
    (_, faded), *_ = after["patch"].patches(plate.frames(0, 1))
    np.testing.assert_array_equal(faded.rgba, whole.rgba * np.float32(0.25))
    assert FADE.schema()["parameters"]["properties"]["amount"]["maximum"] == 1


def test_what_a_node_gives_is_what_its_port_says(plate_faces):
    assert outputs_of(CHOOSE, plate_faces) == {"faces": plate_faces}
    with pytest.raises(TypeError, match=r"Choose gives int for its port 'faces' \(faces\)"):
        outputs_of(CHOOSE, 3)


def test_mattes_in_plate_pixels_are_patches_that_replace_nothing(plate, plate_faces):
    mattes = run({"plate": plate, "found": plate_faces}, Settings(), upto=MASK)["mattes"]
    (_, patch), *_ = in_plate(mattes).patches(plate.frames(0, 0))
    assert 0.9 < patch.rgba[..., 3].max() <= 1
