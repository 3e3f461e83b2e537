"""`shot.json` as a model: what an earlier Faceplate wrote is read, what is damaged is refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nodes.errors import SchemaError
from nodes.shot_document import SwitchedOff, load_shot
from tests.support.shot_documents import shot_document, shot_of

PLATE = {"path": "/plate.mov", "digest": "aa"}


def test_a_document_of_an_earlier_faceplate_is_read(tmp_path: Path) -> None:
    told = shot_document(
        {"plate": PLATE, "model": {"path": "/model.onnx", "digest": "bb"}},
        "model",
        credentials={"signed": False, "record": "r-000001"},
        settings={"swap": {"method": "model", "a_parameter_of_then": 1}, "a_node_of_then": {}},
    )
    (tmp_path / "shot.json").write_text(json.dumps(told))
    shot = load_shot(tmp_path)
    assert shot.people == [(None, shot.inputs["model"])] and shot.credentials == SwitchedOff()
    assert shot.settings.model_dump(exclude_unset=True) == {"swap": {"method": "model"}}
    shot.save(tmp_path)
    assert load_shot(tmp_path).model_dump() == shot.model_dump()


def test_further_people_are_those_with_a_source_or_a_model_of_their_own() -> None:
    further = {"source_2": PLATE, "model_3": {"path": "/third.onnx", "digest": "cc"}}
    shot = shot_of({"plate": PLATE, "source": PLATE, **further})
    assert [(bool(source), bool(model)) for source, model in shot.people] == [(1, 0), (1, 0), (0, 1)]


@pytest.mark.parametrize("inputs", [{}, {"plate": {"path": "/model.onnx", "digest": "bb"}}, {"plate": 3}])
def test_a_document_that_names_no_plate_is_damaged(tmp_path: Path, inputs: object) -> None:
    (tmp_path / "shot.json").write_text(json.dumps(shot_document({"plate": PLATE}) | {"inputs": inputs}))
    with pytest.raises(SchemaError, match="is damaged"):
        load_shot(tmp_path)
