"""Align: landmarks, a smoothed similarity transform and crops. `align` is the node."""

from nodes.align.alignment import Alignment, align

__all__ = ["Alignment", "align"]
