"""Builds models for Swap. The only package that imports torch; `host_bridge → trainer → nodes` is the direction of imports.

`faceset` is what is trained on, `models` are the networks, `loop` trains one with `hooks` around it, `export` writes the ONNX
file that Swap runs. What a model needs of a batch, and how it is made, is the model's own affair.
"""
