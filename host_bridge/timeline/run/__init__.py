"""A run of an edit: trains and swaps every shot with a cast, in an order that lets shots share models; skips finished ones.

The state is the document `faceplate.timeline/1`, written after each shot. The shots are found in `shots`; edits are written in `write`.
"""
