"""Geometry that knows nothing of faces: affine transforms, resampling, similarity fits, smoothing over time."""
