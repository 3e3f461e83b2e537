"""Geometry, independent of faces: affine transforms, resampling, similarity fits, smoothing over time."""
