"""The losses: what they are, and what they do not depend on."""

from __future__ import annotations

import math

import torch

from trainer.losses import dssim_map, mask_loss, picture_loss

torch.manual_seed(0)


def pictures(count: int = 3, size: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(count)
    target = torch.rand(count, 3, size, size, generator=generator)
    return (target + 0.2 * torch.randn(target.shape, generator=generator)).clamp(0, 1), target


def disc(size: int, radius: float) -> torch.Tensor:
    away = torch.arange(size) + 0.5 - size / 2
    return (radius - torch.hypot(away[:, None], away) + 0.5).clamp(0, 1)[None, None]


def slow_dssim(x: torch.Tensor, y: torch.Tensor, mask: torch.Tensor, row: int, column: int) -> float:
    """At one pixel of one channel, each [S, S], in double precision."""
    total, sums = 0.0, [0.0] * 5
    for i in range(max(row - 5, 0), min(row + 6, len(x))):
        for j in range(max(column - 5, 0), min(column + 6, len(x))):
            a, b = float(x[i, j]), float(y[i, j])
            w = math.exp(-((i - row) ** 2 + (j - column) ** 2) / (2 * 1.5**2)) * float(mask[i, j])
            total += w
            sums = [s + w * v for s, v in zip(sums, (a, b, a * a, b * b, a * b), strict=True)]
    mx, my, xx, yy, xy = (s / total for s in sums)
    structure = (2 * (xy - mx * my) + 9e-4) / (xx - mx * mx + yy - my * my + 9e-4)
    return (1 - (2 * mx * my + 1e-4) / (mx * mx + my * my + 1e-4) * structure) / 2


def test_dssim_is_that_of_a_slow_computation():
    x, y = pictures(1, 20)
    mask = disc(20, 8)
    fast = dssim_map(x, y, mask)
    for channel, row, column in ((0, 10, 10), (1, 4, 8), (2, 15, 13), (0, 9, 3)):
        slow = slow_dssim(x[0, channel], y[0, channel], mask[0, 0], row, column)
        assert abs(fast[0, channel, row, column].item() - slow) < 1e-5


def test_equal_pictures_have_no_loss():
    _, y = pictures()
    weight = disc(32, 12).expand(3, -1, -1, -1)
    assert picture_loss(y, y, weight).abs().max() < 1e-6
    assert mask_loss(weight, weight).max() == 0


def test_what_lies_outside_the_mask_does_not_count():
    x, y = pictures()
    weight = 2 * disc(32, 9).expand(3, -1, -1, -1)
    outside = weight == 0
    elsewhere = torch.where(outside, torch.rand_like(x), x), torch.where(outside, torch.rand_like(y), y)
    torch.testing.assert_close(picture_loss(*elsewhere, weight), picture_loss(x, y, weight), atol=1e-6, rtol=1e-5)
    x.requires_grad_()
    picture_loss(x, y, weight).sum().backward()
    gradient = x.grad
    assert gradient is not None and gradient[outside.expand_as(gradient)].abs().max() == 0
    assert gradient.abs().max() > 0


def test_the_loss_does_not_grow_with_the_mask():
    x, y = (p.repeat(1, 1, 16, 16)[..., :128, :128] for p in pictures(1, 8))  # the same everywhere
    small, large = (picture_loss(x, y, disc(128, radius)).item() for radius in (16, 56))
    assert abs(small / large - 1) < 0.05


def test_weighted_pixels_count_more():
    x, y = pictures(1)
    x = torch.where(torch.arange(32) < 16, y, x)  # right on the left
    weight = torch.ones(1, 1, 32, 32)
    wrong_counts = torch.where(torch.arange(32) < 16, weight, 3 * weight)
    assert picture_loss(x, y, wrong_counts) > 1.3 * picture_loss(x, y, weight)


def test_a_batch_is_the_mean_of_its_shares():
    x, y = pictures(4)
    weight = torch.cat([disc(32, r) for r in (5, 8, 11, 14)])
    joint = picture_loss(x, y, weight).mean()
    halves = [picture_loss(x[i : i + 2], y[i : i + 2], weight[i : i + 2]).mean() for i in (0, 2)]
    torch.testing.assert_close(sum(halves) / 2, joint)


def test_half_precision_is_summed_in_single():
    x, y = pictures()
    weight = disc(32, 12).expand(3, -1, -1, -1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = picture_loss(x.bfloat16(), y, weight)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, picture_loss(x.bfloat16().float(), y, weight))


def test_an_empty_mask_is_no_division_by_zero():
    x, y = pictures()
    loss = picture_loss(x.requires_grad_(), y, torch.zeros(3, 1, 32, 32))
    loss.sum().backward()
    assert loss.abs().max() == 0 and x.grad is not None and x.grad.isfinite().all()


def test_gradients_are_those_of_finite_differences():
    x, y = pictures(1, 8)
    mask = disc(8, 3).double()
    assert torch.autograd.gradcheck(
        lambda v: dssim_map(v, y.double(), mask) * mask,
        x.double().requires_grad_(),
        eps=1e-5,
        atol=1e-5,
        fast_mode=True,
    )
