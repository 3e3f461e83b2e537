"""The network that says what each pixel of an aligned face crop shows: a small U-Net of inverted residuals."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

FEATURES = 24  # channels from which the last, linear layer reads the classes


def _normalised(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


class InvertedResidual(nn.Module):
    """Expand channels, filter each alone, and reduce them again (Sandler et al. 2018, "MobileNetV2")."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, expansion: int = 3, kernel: int = 3) -> None:
        super().__init__()
        wide = inputs * expansion
        self.body = nn.Sequential(
            _normalised(inputs, wide, 1), nn.ReLU(), _normalised(wide, wide, kernel, stride, wide), nn.ReLU(),
            _normalised(wide, outputs, 1),
        )  # fmt: skip
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Filter [B, inputs, H, W]: [B, outputs, H / stride, W / stride]."""
        out: Tensor = self.body(x)
        return x + out if self.adds else out


class _Join(nn.Module):
    """Double the resolution and join what the way down has kept there."""

    def __init__(self, inputs: int, kept: int, outputs: int) -> None:
        super().__init__()
        self.kept = _normalised(kept, outputs, 1)
        self.deep = _normalised(inputs, outputs, 1)
        self.mix = nn.Sequential(
            nn.ReLU(), _normalised(outputs, outputs, 3, groups=outputs), _normalised(outputs, outputs, 1), nn.ReLU()
        )

    def forward(self, x: Tensor, kept: Tensor) -> Tensor:
        large = nn.functional.interpolate(self.deep(x), scale_factor=2.0, mode="bilinear", align_corners=False)
        out: Tensor = self.mix(self.kept(kept) + large)
        return out


class OcclusionNetwork(nn.Module):
    """Classes of pixels from RGB and the region that the landmarks outline (Ronneberger et al. 2015, "U-Net").

    widths: channels at 1/2, 1/4, 1/8, 1/16 and 1/32 of the crop's side.
    """

    def __init__(self, classes: int, widths: Sequence[int] = (16, 32, 48, 96, 128)) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth, least = widths
        self.fine = nn.Sequential(_normalised(4, 8, 3), nn.ReLU())
        self.stem = nn.Sequential(_normalised(4, half, 3, 2), nn.ReLU())
        self.down = nn.ModuleList(
            nn.Sequential(InvertedResidual(a, b, 2), *(InvertedResidual(b, b, kernel=5 if b > quarter else 3) for _ in range(n)))
            for a, b, n in ((half, quarter, 1), (quarter, eighth, 2), (eighth, sixteenth, 2), (sixteenth, least, 2))
        )  # fmt: skip
        self.up = nn.ModuleList(
            _Join(a, b, c)
            for a, b, c in (
                (least, sixteenth, 96), (96, eighth, 48), (48, quarter, 32), (32, half, FEATURES), (FEATURES, 8, FEATURES)
            )
        )  # fmt: skip
        self.head = nn.Conv2d(FEATURES, classes, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits [B, classes, S, S] and features [B, FEATURES, S, S] of crops [B, 4, S, S], 0..1; S a multiple of 32."""
        x = 2 * x - 1
        kept = [self.fine(x), self.stem(x)]
        for block in self.down:
            kept.append(block(kept[-1]))
        features = kept.pop()
        for join in self.up:
            features = join(features, kept.pop())
        return self.head(features), features
