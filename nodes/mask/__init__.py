"""Mask: which pixels are the subject: regions drawn from landmarks, what is visible of them, and the artist's own matte."""

from nodes.mask.mattes import Mattes, digest_files, mask, visible_shares
from nodes.mask.regions import check_regions, draw_matte, draw_regions, grow_and_feather, signed_distance

__all__ = [
    "Mattes",
    "check_regions",
    "digest_files",
    "draw_matte",
    "draw_regions",
    "grow_and_feather",
    "mask",
    "signed_distance",
    "visible_shares",
]
