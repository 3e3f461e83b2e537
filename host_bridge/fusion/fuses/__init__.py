"""The Fuses FaceplateDetect, -Align, -Mask and -Swap, written from the nodes' definitions by one template.

`controls` turns a definition into controls, `render` fills `fuse.lua.jinja`, which takes in `create` (the controls), `disk` (what the engine
wrote), `pixels` (functions that run elsewhere) and `frame`. `button.lua.jinja` is what a button runs, with `command` and `send`.
"""
