"""Convert dlib's face recogniser again from its own file to ONNX, as `manifest.json` lists it.

Runs in an environment of its own, never at run time:
    python -m venv convert
    convert/bin/pip install dlib-bin==20.0.1.post1 numpy onnxruntime onnx
    convert/bin/python -m nodes.weights.convert_recogniser
It downloads the publisher's source distribution (100 MB) from PyPI with pip, reads the tensors of the network, rebuilds it of standard
operators with a free batch dimension, and checks a batch against dlib. The network: King 2017, "High Quality Face Recognition
with Deep Metric Learning", a ResNet of 29 convolutions (`dnn_face_recognition_ex.cpp` of dlib).
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from nodes.weights.convert import HERE, MANIFEST, write_manifest

PACKAGE = "face-recognition-models==0.3.0"
MEMBER = "face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat"
NAME = "face_recognition"
OPSET = 18
SIZE = 150
MEANS = [122.782, 117.001, 104.298]  # of red, green and blue, which dlib takes off before it divides by 256
LEVELS = [(32, 3), (64, 4), (128, 3), (256, 3), (256, 1)]  # channels, residual blocks; the first alone keeps the size
Array = npt.NDArray[np.float32]


def download(folder: Path) -> bytes:
    """Fetch the publisher's source distribution with pip; the network as dlib's file."""
    options = ["-q", "--no-deps", "--no-binary=:all:", "-d", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "download", *options, PACKAGE], check=True)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        member = next(m for m in archive.getmembers() if m.name.endswith(MEMBER))
        file = archive.extractfile(member)
        assert file is not None
        return file.read()


def read_tensor(data: bytes, at: int) -> Array:
    """Read one of dlib's tensors: version 2, four dimensions as length-prefixed integers, values in float32."""
    if data[at : at + 2] != b"\x01\x02":
        raise SystemExit(f"byte {at}: not a tensor of dlib's, version 2")
    at, dimensions = at + 2, []
    for _ in range(4):
        length = data[at]
        dimensions.append(int.from_bytes(data[at + 1 : at + 1 + length], "little"))
        at += 1 + length
    return np.frombuffer(data, "<f4", int(np.prod(dimensions)), at)


def read_network(data: bytes) -> tuple[list[tuple[Array, Array]], Array]:
    """Read weights [O, I * size * size] and biases [O] of each convolution, from first to last, and the last layer's [256, 128].

    The affine layer behind each convolution is multiplied into it.
    """
    convolutions, previous = [], np.empty(0, np.float32)
    for layer in re.finditer(rb"(con_4|affine_)(?=\x01\x02)", data):
        tensor = read_tensor(data, layer.end())
        if layer[1] == b"con_4":
            previous = tensor
            continue
        factors, offsets = tensor.reshape(2, -1)
        weights, biases = np.split(previous, [-len(factors)])
        convolutions.append((weights.reshape(len(factors), -1) * factors[:, None], biases * factors + offsets))
    last = re.search(rb"fc_2.*?(?=\x01\x02\x02\x00\x01)", data, re.DOTALL)
    if last is None or len(convolutions) != 29:
        raise SystemExit("this is not dlib's face recogniser, version 1")
    return convolutions, read_tensor(data, last.end()).reshape(256, 128)


class Builder:
    """An ONNX graph that grows by one layer a call; each takes and returns the name of a value."""

    def __init__(self, convolutions: list[tuple[Array, Array]]) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.convolutions = iter(convolutions)

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node."""
        output = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, values: npt.ArrayLike, kind: npt.DTypeLike) -> str:
        """Store an array."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def convolve(self, value: str, size: int, stride: int) -> str:
        """Convolve by the next of the network's convolutions. Weights are stored in half precision, cast once when loaded."""
        weights, biases = next(self.convolutions)
        stored = self.constant(weights.reshape(len(weights), -1, size, size), np.float16)
        cast = self.add("Cast", stored, to=1)
        pads = [size // 2 if stride == 1 else 0] * 4
        biases_name = self.constant(biases, np.float32)
        return self.add("Conv", value, cast, biases_name, kernel_shape=[size] * 2, strides=[stride] * 2, pads=pads)

    def pad(self, value: str, channels: int, pixels: int) -> str:
        """Append channels, and pixels at the right and at the bottom, of zeros."""
        if not channels and not pixels:
            return value
        return self.add("Pad", value, self.constant([0] * 5 + [channels, pixels, pixels], np.int64))

    def residual(self, value: str) -> str:
        """A residual block that keeps the size."""
        inner = self.convolve(self.add("Relu", self.convolve(value, 3, 1)), 3, 1)
        return self.add("Relu", self.add("Add", inner, value))

    def residual_down(self, value: str, size: int, more: int) -> str:
        """A residual block that halves `size` and has `more` channels. dlib fills what one branch lacks with zeros."""
        inner = self.convolve(self.add("Relu", self.convolve(value, 3, 2)), 3, 1)
        skip = self.add("AveragePool", value, kernel_shape=[2, 2], strides=[2, 2])
        inner = self.pad(inner, 0, size // 2 - (size - 1) // 2)
        return self.add("Relu", self.add("Add", inner, self.pad(skip, more, 0)))


def build(data: bytes, target: Path) -> None:
    """Write the network of dlib's file as ONNX: RGB 0..1 [N, 150, 150, 3] → descriptors [N, 128]."""
    convolutions, last = read_network(data)
    graph = Builder(convolutions)
    value = graph.add("Mul", "rgb", graph.constant(255 / 256, np.float32))
    value = graph.add("Sub", value, graph.constant(np.array(MEANS) / 256, np.float32))
    value = graph.add("Transpose", value, perm=[0, 3, 1, 2])
    value = graph.add("Relu", graph.convolve(value, 7, 2))
    value = graph.add("MaxPool", value, kernel_shape=[3, 3], strides=[2, 2])
    size, before = 35, 32
    for level, (channels, blocks) in enumerate(LEVELS):
        if level:
            value = graph.residual_down(value, size, channels - before)
            size, before = size // 2, channels
        for _ in range(blocks - (level > 0)):
            value = graph.residual(value)
    value = graph.add("Flatten", graph.add("GlobalAveragePool", value))
    graph.add("MatMul", value, graph.constant(last, np.float32), output="descriptors")
    takes = helper.make_tensor_value_info("rgb", onnx.TensorProto.FLOAT, ["N", SIZE, SIZE, 3])
    gives = helper.make_tensor_value_info("descriptors", onnx.TensorProto.FLOAT, ["N", 128])
    built = helper.make_graph(graph.nodes, NAME, [takes], [gives], graph.constants)
    model = helper.make_model(built, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, target)


def check(original: Path, converted: Path) -> float:
    """Largest distance of descriptors between dlib, one image at a time, and ONNX, as a batch."""
    import dlib  # type: ignore[import-not-found]
    import onnxruntime

    images = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    network = dlib.face_recognition_model_v1(str(original))
    wanted = np.array([network.compute_face_descriptor(image) for image in images])
    session = onnxruntime.InferenceSession(str(converted))
    (found,) = session.run(None, {"rgb": images.astype(np.float32) / 255})
    return float(np.linalg.norm(found - wanted, axis=1).max())


def main() -> None:
    """Convert the network and write its digests into the manifest."""
    with tempfile.TemporaryDirectory() as scratch:
        data = download(Path(scratch))
        original, target = Path(scratch) / "recogniser.dat", HERE / f"{NAME}.onnx"
        original.write_bytes(data)
        build(data, target)
        difference = check(original, target)
    print(f"{NAME}: largest distance from dlib's descriptors {difference:.2g}")
    if difference > 1e-3:
        raise SystemExit(f"{NAME}: the converted model differs from the original")
    manifest = json.loads(MANIFEST.read_bytes())
    manifest["models"][NAME] |= {
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        "source_sha256": hashlib.sha256(data).hexdigest(),
    }
    write_manifest(manifest)


if __name__ == "__main__":
    main()
