"""Losses inside a mask: multi-scale DSSIM and L1, each normalised by the mask's area, row by row; always in fp32.

A row's loss is a mean over its own mask, and a batch's is the mean over its rows: so the mean over equal shares of a
batch, as DDP takes it, is that of the joint batch.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_SIGMA, _RADIUS = 1.5, 5  # of the Gaussian window
_C1, _C2 = 0.01**2, 0.03**2
_LEAST = 1e-4  # coverage, below which a window counts as empty
SCALES = 3


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Compute the mean of each row under its weight, [N]; values [N, C, H, W], weight [N, 1, H, W]. 0 where all weight is 0."""
    sums = (values * weight).sum((1, 2, 3))
    return sums / (weight.sum((1, 2, 3)) * values.shape[1]).clamp_min(1e-6)


def dssim_map(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Compute half of 1 − SSIM at each pixel inside the mask, [N, C, H, W], 0..1.

    prediction, target: [N, C, H, W], 0..1. mask: [N, 1, H, W], 0..1. Wang et al. 2004, "Image quality assessment: from error
    visibility to structural similarity"; window of σ 1.5. Means and variances are taken by normalised convolution (Knutsson &
    Westin 1993) with the mask as certainty: pixels outside do not count.
    """
    square = prediction.square() + target.square()
    moments = torch.cat([prediction, target, square, prediction * target], 1) * mask
    means = blur(moments) * (1 / blur(mask).clamp_min(_LEAST))
    x, y, xx_yy, xy = means.chunk(4, 1)
    product, squares = x * y, x.square() + y.square()
    luminance = (2 * product + _C1) / (squares + _C1)
    structure = (2 * (xy - product) + _C2) / (xx_yy - squares + _C2)
    similarity: Tensor = luminance * structure
    return 0.5 - 0.5 * similarity


def dssim(prediction: Tensor, target: Tensor, mask: Tensor, weight: Tensor, scales: int = SCALES) -> Tensor:
    """Compute the DSSIM of each row, [N], the mean over `scales` octaves; shapes as in :func:`picture_loss`."""
    total = prediction.new_zeros(len(prediction))
    for scale in range(scales):
        if scale:
            area = F.avg_pool2d(mask, 2)
            filled = area.clamp_min(_LEAST)
            prediction, target = (F.avg_pool2d(p * mask, 2) / filled for p in (prediction, target))
            mask, weight = area, F.avg_pool2d(weight, 2)
        total = total + weighted_mean(dssim_map(prediction, target, mask), weight)
    return total / scales


def picture_loss(prediction: Tensor, target: Tensor, weight: Tensor, scales: int = SCALES) -> Tensor:
    """Compute multi-scale DSSIM + L1 of each row under its weight, [N].

    prediction, target: [N, C, H, W], 0..1. weight: [N, 1, H, W], 0 outside the mask, up to 1 at its soft edge, more than 1
    where it counts more. H and W are multiples of 2^(scales − 1).
    """
    with torch.autocast(prediction.device.type, enabled=False):
        prediction, target, weight = prediction.float(), target.float(), weight.float()
        structure = dssim(prediction, target, weight.clamp(max=1), weight, scales)
        return structure + weighted_mean((prediction - target).abs(), weight)


def mask_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """Compute the mean absolute difference of masks [N, 1, H, W] in each row, [N]."""
    with torch.autocast(prediction.device.type, enabled=False):
        return (prediction.float() - target.float()).abs().mean((1, 2, 3))


@cache
def _window(device: torch.device, dtype: torch.dtype) -> Tensor:
    taps = torch.tensor([math.exp(-0.5 * (i / _SIGMA) ** 2) for i in range(-_RADIUS, _RADIUS + 1)], dtype=torch.float64)
    return (taps / taps.sum()).to(device, dtype)


class _Blur(torch.autograd.Function):
    """Gaussian blur, its own derivative, since the window is symmetric; PyTorch would also compute the window's derivative."""

    @staticmethod
    def forward(_: Any, values: Tensor) -> Tensor:
        channels = values.shape[1]
        window = _window(values.device, values.dtype).expand(channels, 1, 1, -1)
        # On the CPU a convolution of each channel by itself is ten times as fast with the channels last.
        values = values.contiguous(memory_format=torch.channels_last)
        across = F.conv2d(values, window, padding=(0, _RADIUS), groups=channels)
        return F.conv2d(across, window.mT, padding=(_RADIUS, 0), groups=channels)

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        return blur(gradient)


def blur(values: Tensor) -> Tensor:
    """Blur [N, C, H, W] by the Gaussian window; zero beyond the border."""
    blurred: Tensor = _Blur.apply(values)  # type: ignore[no-untyped-call]
    return blurred
