"""Sharpening of the new face, inside its matte."""

from __future__ import annotations

import cv2
import numpy as np

from nodes.types import Float


def unsharp_mask(image: Float, weight: Float, amount: float | Float, radius: float = 0.006) -> Float:
    """Add `amount` times the detail finer than `radius` to images, fading with the matte.

    image: [B, S, S, 3], display-referred RGB 0..1. weight: [B, S, S], matte 0..1; what lies outside neither changes nor
    rings into the face. amount: 0..2, one for all or [B]. radius: σ of the Gaussian, as a fraction of S.
    """
    amounts = np.broadcast_to(np.asarray(amount, np.float32), (len(image),))
    out = np.array(image, np.float32)
    sigma = radius * image.shape[1]
    if sigma <= 0:
        return out
    for face, matte, strength in zip(out, weight, amounts, strict=True):
        if strength <= 0 or not matte.any():
            continue
        # Normalised convolution (Knutsson & Westin 1993): the blur knows only pixels of the face.
        inside = np.asarray(matte, np.float32)[..., None]
        blurred = cv2.GaussianBlur(np.concatenate([face * inside, inside], -1), (0, 0), sigma)
        low = blurred[..., :3] / np.maximum(blurred[..., 3:], 1e-6)
        np.maximum(face + strength * inside * (face - low), 0, out=face, where=inside > 0)
    return out
