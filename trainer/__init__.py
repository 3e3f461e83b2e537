"""Trainer of swap models. The only package that imports torch; `host_bridge → trainer → nodes` is the direction of imports.

`faceset` holds the training data, `models` are the networks, `loop` trains one with `hooks` around it, `export` writes the ONNX
file that Swap runs. Each model defines and makes its own batches.
"""
