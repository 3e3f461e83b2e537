"""Train and swap every shot that has a cast, in an order that lets one shot help the next; finished shots are not done again.

The state is the document `faceplate.timeline/1`, written after each shot. The shots are found in `shots`; edits are written in `write`.
"""
