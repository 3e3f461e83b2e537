"""Train and swap every shot that has a cast, in an order that lets one shot help the next; what is done stays done.

The work is that of the jobs `faceset`, `train` and `swap`, which also know how to go on where they were interrupted. The state is the
document `faceplate.timeline/1`, written after each shot. Which shots there are is found elsewhere (`shots`), and nothing here writes an edit (`write`).
"""
