"""Base class of trainable swap models: one class in one file of `trainer/models`, found by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from trainer.faceset import Faceset


class Options(BaseModel):
    """What a model can be asked for when it is built; kept in its checkpoints and in the metadata of its export.

    subject: what it draws, as :func:`nodes.subjects.subject.load_subject` takes it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int
    subject: str = "face"


@dataclass(frozen=True, slots=True)
class Share:
    """Which part of each joint batch a process makes. batch: crops a performer and step, over all processes."""

    batch: int
    device: torch.device
    seed: int = 0
    rank: int = 0
    world: int = 1

    @property
    def rows(self) -> slice:
        """The rows of the joint batch that are this process's; `batch` is a multiple of `world`."""
        each = self.batch // self.world
        return slice(self.rank * each, (self.rank + 1) * each)

    def generator(self, step: int) -> torch.Generator:
        """The random numbers of one step, the same in every process and after every resume."""
        return torch.Generator().manual_seed((self.seed * 1_000_003 + step) & (2**63 - 1))


class Batches(Protocol):
    """Makes the batch of any step on the device: the same for the same seed and step, in whatever order they are asked."""

    def __call__(self, step: int) -> Any:
        """The batch of a step; what is in it is between the model and its batches."""


class Network(nn.Module, ABC):
    """A face swapper that learns from the facesets of a pair, or of more performers. `forward` gives its losses, so that DDP can wrap it."""

    name: ClassVar[str]
    options_type: ClassVar[type[Options]]
    inputs: ClassVar[tuple[str, ...]] = ("crop",)  # of the exported model, see docs/model-contract.md
    learning_rate: ClassVar[float] = 5e-5
    batch: ClassVar[int] = 16
    clip: ClassVar[float | None] = None  # of the gradient's norm

    options: Options

    @property
    def exported_size(self) -> int:
        """Side of the crops that the exported model takes."""
        return self.options.size

    @abstractmethod
    def batches(self, facesets: Sequence[Faceset], share: Share) -> Batches:
        """Prepare the performers' data, the source's first, then the target's; may take seconds, and keeps them on the device if they fit.

        More than two make a base; only a model whose options have `performers` is given them.
        """

    @abstractmethod
    def forward(self, batch: Any) -> dict[str, Tensor]:
        """The losses of a batch by name, each a scalar, the mean over the batch's rows; their sum is minimised."""

    @abstractmethod
    def swap(self, **inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Target → source, as exported: `inputs` by name, NCHW; faces [N, 3, S, S] and masks [N, 1, S, S], both 0..1."""

    @abstractmethod
    def views(self, batches: Any, rows: int) -> dict[str, Tensor]:
        """Pictures of `rows` fixed crops by name, each [rows, 3, S, S], 0..1 RGB: source, target, their reconstructions, both swaps."""

    def examples(self, batches: Any, rows: int) -> dict[str, Tensor]:
        """Real inputs of `swap` by name, `rows` of each, to check the export on; by default none, and it is not checked."""
        return {}

    def fit_base(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights of an earlier model that this one can begin with, by its own names; by default all that fit."""
        mine = self.state_dict()
        return {name: value for name, value in weights.items() if name in mine and mine[name].shape == value.shape}
