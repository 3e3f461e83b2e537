"""Between Y'CbCr code values and R'G'B', by the matrices and ranges of ITU-T H.273."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from nodes.footage.info import FootageInfo
from nodes.footage.planes import Layout, is_full_range

Matrix = npt.NDArray[np.float64]

_KR_KB = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}


def resolved_space(info: FootageInfo) -> int:
    """Return the matrix (H.273) of a clip; where it is unspecified, BT.709 for HD and BT.601 for smaller, as players do."""
    if info.tags.space in _KR_KB:
        return info.tags.space
    return 1 if info.width >= 1280 or info.height > 576 else 6


def yuv_to_rgb(info: FootageInfo, lay: Layout) -> Matrix:
    """Return the affine map [3, 4] from (Y, Cb, Cr) code values to R'G'B' in 0..1."""
    return _affine(resolved_space(info), lay.bits, is_full_range(lay, info.tags))[0]


def rgb_to_yuv(info: FootageInfo, lay: Layout) -> Matrix:
    """Return the affine map [3, 4] from R'G'B' in 0..1 to (Y, Cb, Cr) code values, not rounded."""
    return _affine(resolved_space(info), lay.bits, is_full_range(lay, info.tags))[1]


@lru_cache(maxsize=16)
def _affine(space: int, bits: int, full: bool) -> tuple[Matrix, Matrix]:
    kr, kb = _KR_KB[space]
    kg = 1 - kr - kb
    unit = np.array(
        [
            [1, 0, 2 * (1 - kr)],
            [1, -2 * (1 - kb) * kb / kg, -2 * (1 - kr) * kr / kg],
            [1, 2 * (1 - kb), 0],
        ]
    )
    scale = 2 ** (bits - 8)
    black, luma, chroma = (0, 2**bits - 1, 2**bits - 1) if full else (16 * scale, 219 * scale, 224 * scale)
    offset = np.array([black, 2 ** (bits - 1), 2 ** (bits - 1)], np.float64)
    decode = unit / np.array([luma, chroma, chroma])
    encode = np.linalg.inv(decode)
    return np.column_stack([decode, -decode @ offset]), np.column_stack([encode, offset])
