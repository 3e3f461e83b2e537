"""Mask: which pixels are face. `mask` is the node; `shape` knows outlines, `regions` knows faces."""

from nodes.mask.regions import mask

__all__ = ["mask"]
