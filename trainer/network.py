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
    """Options of a model, kept in its checkpoints and in the metadata of its export.

    subject: a reference for :func:`nodes.subjects.subject.load_subject`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int
    subject: str = "face"


@dataclass(frozen=True, slots=True)
class Share:
    """This process's part of each joint batch. batch: crops a performer and step, over all processes."""

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
        """Return the random numbers of one step, the same in every process and after every resume."""
        return torch.Generator().manual_seed((self.seed * 1_000_003 + step) & (2**63 - 1))


class Batches(Protocol):
    """Makes the batch of any step on the device: the same for the same seed and step, in any order of calls."""

    def __call__(self, step: int) -> Any:
        """Return the batch of a step; its contents are between the model and its batches."""


class Network(nn.Module, ABC):
    """A face swapper trained on the facesets of two or more performers. `forward` returns its losses, so that DDP can wrap it."""

    name: ClassVar[str]
    options_type: ClassVar[type[Options]]
    # Of the exported model, see docs/model-contract.md.
    inputs: ClassVar[tuple[str, ...]] = ("crop",)
    outputs: ClassVar[tuple[str, str]] = ("face", "mask")
    learning_rate: ClassVar[float] = 5e-5
    batch: ClassVar[int] = 16
    clip: ClassVar[float | None] = None  # of the gradient's norm

    options: Options

    @abstractmethod
    def batches(self, facesets: Sequence[Faceset], share: Share) -> Batches:
        """Prepare the performers' data, the source's first, then the target's; may take seconds; data that fits stays on the device.

        More than two make a base; only a model whose options have `performers` is given them.
        """

    @abstractmethod
    def forward(self, batch: Any) -> dict[str, Tensor]:
        """Compute the losses of a batch by name, each a scalar, the mean over the batch's rows; their sum is minimised."""

    @abstractmethod
    def swap(self, **inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Swap target → source, as exported: `inputs` by name, NCHW; `outputs`, such as faces [N, 3, S, S] and masks [N, 1, S, S], both 0..1."""

    @abstractmethod
    def views(self, batches: Any, rows: int) -> dict[str, Tensor]:
        """Return pictures of `rows` fixed crops by name, each [rows, 3, S, S], 0..1 RGB: source, target, their reconstructions, both swaps."""

    def examples(self, batches: Any, rows: int) -> dict[str, Tensor]:
        """Return real inputs of `swap` by name, `rows` of each, to check the export; by default nothing, and no check."""
        return {}

    def fit_base(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Select the weights of an earlier model that this one can begin with, by its own names; by default all that fit."""
        mine = self.state_dict()
        return {name: value for name, value in weights.items() if name in mine and mine[name].shape == value.shape}
