"""Facesets: the crops, masks and landmarks of one performer, memory-mapped, and how they are gathered from clips. No torch."""

from trainer.faceset.faceset import Faceset, open_faceset
from trainer.faceset.parameters import FacesetParameters

__all__ = ["Faceset", "FacesetParameters", "open_faceset"]
