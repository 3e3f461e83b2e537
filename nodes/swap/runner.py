"""A swap model that runs in batches, and the checks that every ONNX model shares."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nodes.errors import ModelError
from nodes.types import Float

_log = logging.getLogger(__name__)
# Possible inputs of a model, and their channels.
INPUTS = {"crop": 3, "reference": 4, "landmarks": 2, "vertices": 2, "performance": 4}
POINTS = ("landmarks", "vertices")
DOCS = "See docs/model-contract.md"

_FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16}

# Values by input name, one batch → outputs by name.
Feed = Mapping[str, Float]


@dataclass(frozen=True, slots=True, eq=False)
class SwapModel:
    """A model that turns crops of the target's face into faces of the source, with masks.

    size: side of its crops in pixels. coverage: of the crop template (see AlignParameters). template: id of the crop
    template. inputs: those it takes, out of `INPUTS`. batch: the one batch size that it takes, None for any.
    metadata: all of the file's. infer: gives faces and masks of a batch; where it `moves` the reference, flows and shades.
    """

    file: Path
    subject: str
    template: str
    size: int
    coverage: float
    inputs: tuple[str, ...]
    batch: int | None
    metadata: Mapping[str, str]
    infer: Callable[[Feed], tuple[Float, Float]]
    moves: bool = False

    @property
    def needs_reference(self) -> bool:
        """Whether the model has an input that is made from footage of the source."""
        return not {"reference", "vertices", "performance"}.isdisjoint(self.inputs)

    def run(
        self,
        crops: Float | None = None,
        references: Float | None = None,
        landmarks: Float | None = None,
        vertices: Float | None = None,
        performances: Float | None = None,
        *,
        batch: int = 8,
    ) -> tuple[Float, Float]:
        """Make the faces and masks of crops, or the flows and shades of a model that `moves` references.

        crops: [B, S, S, 3], display-referred RGB 0..1, S = `size`. references: [B, S, S, 4], RGB premultiplied by alpha.
        landmarks, vertices: [B, L, 2], 0..1 across the crop. performances: as references. batch: crops at a time. Returns faces [B, S, S, 3], RGB 0..1, not
        premultiplied, and masks [B, S, S], 0..1; or flows [B, h, w, 2] and shades [B, h, w, 3]. Raises ModelError for another size, for an input that is missing, and
        when the model fails or gives values that are not numbers.
        """
        given = dict(zip(INPUTS, (crops, references, landmarks, vertices, performances), strict=True))
        total = next(len(values) for values in given.values() if values is not None)
        feed = {name: self._checked(name, given[name], total) for name in self.inputs}
        step = self.batch or max(1, batch)
        none = (0, self.size, self.size)
        results: list[Sequence[Float]] = []
        if not total:
            shapes = ((*none, 2), (*none, 3)) if self.moves else ((*none, 3), none)
            results = [[np.empty(shape, np.float32) for shape in shapes]]
        for start in range(0, total, step):
            part = {name: values[start : start + step] for name, values in feed.items()}
            count = min(step, total - start)
            if self.batch:  # pads by repeating the last: a fixed batch must be full
                part = {n: np.pad(v, [(0, step - count)] + [(0, 0)] * (v.ndim - 1), "edge") for n, v in part.items()}
            outputs = self.infer(part)
            if not all(np.isfinite(values).all() for values in outputs):
                raise ModelError("gave values that are not numbers", file=self.file, remedy="Use an earlier checkpoint")
            results.append([values[:count] for values in outputs])
        first, second = (np.concatenate(values) for values in zip(*results, strict=True))
        return (first, second) if self.moves else (first.clip(0, 1), second.clip(0, 1))

    def _checked(self, name: str, values: Float | None, count: int) -> Float:
        if values is None:
            raise ModelError(f"needs '{name}' as an input, which is not there", file=self.file, remedy=DOCS)
        side = () if name in POINTS else (self.size, self.size)
        if len(values) != count or values.shape[1:-1][: len(side)] != side or values.shape[-1] != INPUTS[name]:
            raise ModelError(
                f"takes '{name}' of {self.size}×{self.size} and is given an array of {values.shape}",
                file=self.file,
                remedy=f"Align with a crop size of {self.size}",
            )
        return np.asarray(values, np.float32)


def check_tensor(tensor: Any, channels: int, size: int | None, layout: str, file: Path) -> None:
    """Check type and shape of an input or output of a session, as far as its shape is fixed; raises ModelError."""
    wanted: tuple[int | None, ...] = (None, size, size, channels)
    if layout == "nchw":
        wanted = (None, channels, size, size)
    if tensor.name in POINTS:
        wanted = (None, None, channels)
    agrees = len(tensor.shape) == len(wanted) and all(
        not isinstance(is_, int) or want is None or is_ == want for is_, want in zip(tensor.shape, wanted, strict=True)
    )
    if tensor.type not in _FLOATS or not agrees:
        shape = "×".join("any" if want is None else str(want) for want in wanted)
        raise ModelError(
            f"'{tensor.name}' is {tensor.type} {tensor.shape}; a float tensor of {shape} is needed",
            file=file,
            remedy=DOCS,
        )


def fixed_batch(session: Any, file: Path) -> int | None:
    """Return the fixed batch size of a session, None when it takes any."""
    sizes = {t.shape[0] for t in session.get_inputs() if len(t.shape) > 1 and isinstance(t.shape[0], int)}
    if len(sizes) > 1 or any(s < 1 for s in sizes):
        raise ModelError(f"its inputs insist on different batch sizes {sorted(sizes)}", file=file, remedy=DOCS)
    return sizes.pop() if sizes else None


def run_session(session: Any, outputs: list[str], feed: Mapping[str, npt.NDArray[Any]], file: Path) -> list[Float]:
    """Run a session in the float type that each input wants; raises ModelError when ONNX Runtime does."""
    types = {i.name: _FLOATS.get(i.type, np.float32) for i in session.get_inputs()}
    try:
        results = session.run(outputs, {n: np.ascontiguousarray(v, types[n]) for n, v in feed.items()})
    except Exception as e:  # ONNX Runtime's exceptions share no base class of their own
        _log.exception("%s failed while running", file)
        reason = str(e).splitlines()[0][:200] if str(e) else type(e).__name__
        raise ModelError(f"failed while running ({reason})", file=file, remedy="Try a smaller batch, or the CPU") from e
    return [np.asarray(values, np.float32) for values in results]


def check_result(results: Sequence[Float], shape: tuple[int, ...], channels: Sequence[int], file: Path) -> None:
    """Check that a model of free shapes gave pictures [*shape, channels]; raises ModelError."""
    given, wanted = [r.shape for r in results], [(*shape, c) for c in channels]
    if given != wanted:
        raise ModelError(f"gave arrays of {given} where {wanted} are needed", file=file, remedy=DOCS)
