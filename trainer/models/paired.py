"""What the shared-encoder models have in common: one network looks at every performer, and learns to draw each of them.

To swap, the target's crop is drawn as the source. A base over many performers is the same with more of them: performer 0 is the
source, 1 the target.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from nodes.errors import ModelError
from trainer.augment import Amounts, amounts_for, colour, draw, identity, planes, sample, sampling_grid
from trainer.data import FULL_WEIGHT, Ahead, Crops
from trainer.faceset import Faceset
from trainer.losses import mask_loss, picture_loss
from trainer.network import Network, Options, Share
from trainer.performers import roles


class PairedOptions(Options):
    """What every shared-encoder model can be asked for. performers: how many it learns; more than two make a base."""

    size: int = Field(128, ge=32, le=512, multiple_of=32)
    performers: int = Field(2, ge=2, le=256)


@dataclass(frozen=True, slots=True)
class Batch:
    """Crops of P performers, n each, one performer after another.

    input, target: [P·n, 3, S, S], 0..1 RGB; the input is warped. mask: [P·n, 1, S, S], coverage of the face. weight: the same
    shape, how much each pixel counts: 0 outside the mask and its rim, 1 inside, 3 in eyes and mouth.
    """

    input: Tensor
    target: Tensor
    mask: Tensor
    weight: Tensor


class PairedBatches:
    """Makes batches of some performers' facesets for networks of `size` pixels.

    limit: bytes of each faceset that may be kept on the device.
    """

    def __init__(
        self,
        facesets: Sequence[Faceset],
        size: int,
        share: Share,
        amounts: Amounts | None = None,
        limit: int | None = None,
    ) -> None:
        self.size, self.share, self._amounts = size, share, amounts or amounts_for(facesets[0].subject)
        self._crops = [Crops(faceset, size, share.device, limit) for faceset in facesets]
        resident = all(c.resident for c in self._crops)
        self._read: Callable[[int], list[Tensor]] = self._gather if resident else Ahead(self._gather)

    def __call__(self, step: int) -> Batch:
        """The batch of a step."""
        generator, device = self.share.generator(step), self.share.device
        self._choose(generator)  # the same numbers as in _gather, to draw on from there
        parts = []
        for pictures in self._read(step):
            draws = draw(self.share.batch, generator, self._amounts).rows(self.share.rows, device)
            whole = planes(pictures.to(device, non_blocking=True))
            warped = sample(whole[:, :3], sampling_grid(draws, self.size, warped=True))
            still = sample(whole, sampling_grid(draws, self.size, warped=False))
            parts.append(torch.cat([colour(warped, draws), colour(still[:, :3], draws), still[:, 3:]], 1))
        return _batch(parts)

    def plain(self, rows: int) -> Batch:
        """`rows` crops of each performer, evenly chosen and not augmented."""
        level, parts = identity(rows).rows(slice(None), self.share.device), []
        grid = sampling_grid(level, self.size, warped=False)
        for crops in self._crops:
            chosen = torch.linspace(0, len(crops) - 1, rows).round().long()
            still = sample(planes(crops(chosen).to(self.share.device)), grid)
            parts.append(torch.cat([still[:, :3], still], 1))
        return _batch(parts)

    def _choose(self, generator: torch.Generator) -> list[Tensor]:
        joint = [torch.randint(len(c), (self.share.batch,), generator=generator) for c in self._crops]
        return [rows[self.share.rows] for rows in joint]

    def _gather(self, step: int) -> list[Tensor]:
        chosen = self._choose(self.share.generator(step))
        return [crops(rows) for crops, rows in zip(self._crops, chosen, strict=True)]


class Paired(Network):
    """A network with something that all performers share, and something of each one's own."""

    options: PairedOptions
    own: ClassVar[str]  # the list of modules that are the performers' own, the first performer's first

    @abstractmethod
    def generate(self, crops: Tensor, performers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Draw crops [P·n, 3, S, S] as P performers, n after n: faces of the same shape and masks [P·n, 1, S, S], 0..1."""

    def batches(self, facesets: Sequence[Faceset], share: Share) -> PairedBatches:
        """Batches of as many performers as the options say."""
        return PairedBatches(facesets, self.options.size, share)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The loss of each performer's faces, and of all masks."""
        performers = self.options.performers
        faces, masks = self.generate(batch.input, range(performers))
        losses = picture_loss(faces, batch.target, batch.weight).view(performers, -1).mean(1)
        return dict(zip(roles(performers), losses.unbind(), strict=True)) | {
            "mask": mask_loss(masks, batch.mask).mean()
        }

    def swap(self, **inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The target's crops drawn as the source."""
        return self.generate(inputs["crop"], (0,))

    @torch.no_grad()
    def views(self, batches: PairedBatches, rows: int) -> dict[str, Tensor]:
        """The first two performers, each drawn as itself and as the other, over its own crop."""
        shown = batches.plain(rows).target[: 2 * rows]
        (source, target), own = shown.chunk(2), self._over(shown, (0, 1)).chunk(2)
        return {
            "source": source,
            "source drawn": own[0],
            "target": target,
            "target drawn": own[1],
            "target as source": self._over(target, (0,)),
            "source as target": self._over(source, (1,)),
        }

    def examples(self, batches: PairedBatches, rows: int) -> dict[str, Tensor]:
        """The target's crops."""
        return {"crop": batches.plain(rows).target[rows : 2 * rows]}

    def fit_base(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename the weights of a base over any number of performers so that they fit this network's performers.

        What is shared stays, and performer k begins as the base's k-th did; those beyond begin as its first: what any face
        needs, each of them has learned. Raises ModelError for weights of other dimensions.
        """
        fitted = {}
        for name, mine in self.state_dict().items():
            found = weights.get(name)
            if found is None and name.startswith(f"{self.own}."):
                found = weights.get(f"{self.own}.0.{name.split('.', 2)[2]}")
            if found is None or found.shape != mine.shape:
                there = "nothing" if found is None else str(tuple(found.shape))
                raise ModelError(
                    f"the base has {there} for '{name}' of {tuple(mine.shape)}",
                    remedy="Choose the size and dimensions of the base, or another base",
                )
            fitted[name] = found
        return fitted

    def _over(self, crops: Tensor, performers: Sequence[int]) -> Tensor:
        """Draw crops, and lay the faces over them by their masks."""
        faces, masks = self.generate(crops, performers)
        return torch.lerp(crops, faces.float(), masks.float())


def shares(rows: Tensor, performers: Sequence[int]) -> Sequence[Tensor]:
    """The rows of each performer; of one alone all of them, without a word about their number, which an export leaves open."""
    return rows.chunk(len(performers)) if len(performers) > 1 else (rows,)


def _batch(parts: list[Tensor]) -> Batch:
    whole = torch.cat(parts).contiguous(memory_format=torch.channels_last)
    warped, target, mask, weight = whole[:, :3], whole[:, 3:6], whole[:, 6:7], whole[:, 7:]
    return Batch(warped.contiguous(memory_format=torch.channels_last), target, mask, weight * FULL_WEIGHT)
