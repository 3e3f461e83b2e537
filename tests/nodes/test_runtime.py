"""The embedded weights and the sessions that run them."""

from __future__ import annotations

import json
import shutil

import pytest

from nodes import runtime
from nodes.errors import ModelError, SchemaError


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A copy of the manifest and of one model, to be damaged."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for name in ("manifest.json", "face_detection_short.onnx"):
        shutil.copy(runtime.WEIGHTS / name, folder)
    monkeypatch.setattr(runtime, "WEIGHTS", folder)
    return folder


def test_every_embedded_model_is_as_the_manifest_says_and_loads():
    assert all(runtime.check_weights().values())
    for name in runtime.read_manifest():
        assert runtime.load_weights(name).get_inputs()


def test_a_session_is_made_once():
    assert runtime.load_weights("face_detection_short") is runtime.load_weights("face_detection_short")


def test_a_file_is_loaded_again_when_it_has_changed(weights):
    path = weights / "face_detection_short.onnx"
    first = runtime.create_session(path)
    assert runtime.create_session(path) is first
    shutil.copy(runtime.Path(runtime.__file__).parent / "weights" / "face_landmark.onnx", path)
    assert runtime.create_session(path) is not first


def test_one_changed_byte_is_refused_by_name(weights):
    path = weights / "face_detection_short.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert runtime.check_weights()["face_detection_short"] is False
    with pytest.raises(ModelError, match=r"face_detection_short\.onnx.*corrupt.*again"):
        runtime.load_weights("face_detection_short")


def test_a_missing_file_and_an_unknown_name_are_refused_by_name(weights):
    (weights / "face_detection_short.onnx").unlink()
    with pytest.raises(ModelError, match=r"face_detection_short\.onnx.*missing"):
        runtime.load_weights("face_detection_short")
    with pytest.raises(ModelError, match=r"'nose'.*face_landmark"):
        runtime.load_weights("nose")


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "faceplate.weights/1"}', '{"schema": "other/1", "models": {}}'])
def test_a_damaged_manifest_is_refused_by_name(weights, text):
    (weights / "manifest.json").write_text(text)
    with pytest.raises(SchemaError, match=r"manifest\.json"):
        runtime.read_manifest()


def test_a_newer_manifest_is_refused(weights):
    document = json.loads((weights / "manifest.json").read_text()) | {"schema": "faceplate.weights/2"}
    (weights / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(SchemaError, match="newer Faceplate"):
        runtime.read_manifest()


def test_the_processor_is_always_there_and_tensorrt_never_compiles_for_minutes():
    assert runtime.choose_providers()[-1] == "CPUExecutionProvider"
    assert runtime.choose_providers(cpu=True) == ["CPUExecutionProvider"]
    assert "TensorrtExecutionProvider" not in runtime.choose_providers()
