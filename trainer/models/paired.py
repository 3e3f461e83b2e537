"""Base of the shared-encoder models: one network encodes every performer, and learns to draw each of them.

To swap, the target's crop is drawn as the source. A base has more performers: performer 0 is the
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
    """Options of every shared-encoder model. performers: how many it learns; more than two make a base."""

    size: int = Field(128, ge=32, le=512, multiple_of=32)
    performers: int = Field(2, ge=2, le=256)


@dataclass(frozen=True, slots=True)
class Batch:
    """Crops of P performers, n each, one performer after another.

    input, target: [P·n, 3, S, S], 0..1 RGB; the input is warped. mask: [P·n, 1, S, S], coverage of the face. weight: the same
    shape, weight of each pixel: 0 outside the mask and its rim, 1 inside, 3 in eyes and mouth.
    """

    input: Tensor
    target: Tensor
    mask: Tensor
    weight: Tensor


class PairedBatches:
    """Batches of some performers' facesets for networks of `size` pixels.

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
        """Return the batch of a step."""
        generator, device = self.share.generator(step), self.share.device
        self._choose(generator)  # skips the random numbers that _gather draws
        parts = []
        for pictures in self._read(step):
            draws = draw(self.share.batch, generator, self._amounts).rows(self.share.rows, device)
            whole = planes(pictures.to(device, non_blocking=True))
            warped = sample(whole[:, :3], sampling_grid(draws, self.size, warped=True))
            unwarped = sample(whole, sampling_grid(draws, self.size, warped=False))
            parts.append(torch.cat([colour(warped, draws), colour(unwarped[:, :3], draws), unwarped[:, 3:]], 1))
        return _batch(parts)

    def plain(self, rows: int) -> Batch:
        """Return `rows` crops of each performer, evenly chosen and not augmented."""
        level, parts = identity(rows).rows(slice(None), self.share.device), []
        grid = sampling_grid(level, self.size, warped=False)
        for crops in self._crops:
            evenly = torch.linspace(0, len(crops) - 1, rows).round().long()
            unwarped = sample(planes(crops(evenly).to(self.share.device)), grid)
            parts.append(torch.cat([unwarped[:, :3], unwarped], 1))
        return _batch(parts)

    def _choose(self, generator: torch.Generator) -> list[Tensor]:
        joint = [torch.randint(len(c), (self.share.batch,), generator=generator) for c in self._crops]
        return [rows[self.share.rows] for rows in joint]

    def _gather(self, step: int) -> list[Tensor]:
        indices = self._choose(self.share.generator(step))
        return [crops(rows) for crops, rows in zip(self._crops, indices, strict=True)]


class Paired(Network):
    """A network with a shared part and a part for each performer."""

    options: PairedOptions
    own: ClassVar[str]  # name of the list of the performers' own modules, in their order

    @abstractmethod
    def generate(self, crops: Tensor, performers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Draw crops [P·n, 3, S, S] as P performers, n after n: faces of the same shape and masks [P·n, 1, S, S], 0..1."""

    def batches(self, facesets: Sequence[Faceset], share: Share) -> PairedBatches:
        """Make batches of as many performers as the options have."""
        return PairedBatches(facesets, self.options.size, share)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Compute the loss of each performer's faces, and of all masks."""
        performers = self.options.performers
        faces, masks = self.generate(batch.input, range(performers))
        losses = picture_loss(faces, batch.target, batch.weight).view(performers, -1).mean(1)
        return dict(zip(roles(performers), losses.unbind(), strict=True)) | {
            "mask": mask_loss(masks, batch.mask).mean()
        }

    def swap(self, **inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Draw the target's crops as the source."""
        return self.generate(inputs["crop"], (0,))

    @torch.no_grad()
    def views(self, batches: PairedBatches, rows: int) -> dict[str, Tensor]:
        """Draw the first two performers, each as itself and as the other, over its own crop."""
        crops = batches.plain(rows).target[: 2 * rows]
        (source, target), own = crops.chunk(2), self._over(crops, (0, 1)).chunk(2)
        return {
            "source": source,
            "source drawn": own[0],
            "target": target,
            "target drawn": own[1],
            "target as source": self._over(target, (0,)),
            "source as target": self._over(source, (1,)),
        }

    def examples(self, batches: PairedBatches, rows: int) -> dict[str, Tensor]:
        """Return the target's crops."""
        return {"crop": batches.plain(rows).target[rows : 2 * rows]}

    def fit_base(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename the weights of a base over any number of performers so that they fit this network's performers.

        Shared weights stay, and performer k begins as the base's k-th; further ones begin as its first, which has
        learned faces in general. Raises ModelError for weights of other dimensions.
        """
        fitted = {}
        for name, mine in self.state_dict().items():
            weight = weights.get(name)
            if weight is None and name.startswith(f"{self.own}."):
                weight = weights.get(f"{self.own}.0.{name.split('.', 2)[2]}")
            if weight is None or weight.shape != mine.shape:
                shape = "nothing" if weight is None else str(tuple(weight.shape))
                raise ModelError(
                    f"the base has {shape} for '{name}' of {tuple(mine.shape)}",
                    remedy="Choose the size and dimensions of the base, or another base",
                )
            fitted[name] = weight
        return fitted

    def _over(self, crops: Tensor, performers: Sequence[int]) -> Tensor:
        """Draw crops, and lay the faces over them by their masks."""
        faces, masks = self.generate(crops, performers)
        return torch.lerp(crops, faces.float(), masks.float())


def shares(rows: Tensor, performers: Sequence[int]) -> Sequence[Tensor]:
    """Split rows by performer; for a single one, return all without counting them: an export leaves their number open."""
    return rows.chunk(len(performers)) if len(performers) > 1 else (rows,)


def _batch(parts: list[Tensor]) -> Batch:
    whole = torch.cat(parts).contiguous(memory_format=torch.channels_last)
    warped, target, mask, weight = whole[:, :3], whole[:, 3:6], whole[:, 6:7], whole[:, 7:]
    return Batch(warped.contiguous(memory_format=torch.channels_last), target, mask, weight * FULL_WEIGHT)
