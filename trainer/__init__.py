"""Builds models for Swap: facesets, networks, losses, the training loop, export to ONNX.

The only package that imports torch. Empty until the trainer lands; `host_bridge → trainer → nodes` is the
direction of imports, and `tests/test_layers.py` holds it.
"""
