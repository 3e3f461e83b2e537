"""The Fuses FaceplateDetect, -Align, -Mask and -Swap, written from the nodes' definitions by one template.

`controls` turns a definition into controls, `render` fills `fuse.lua.jinja`; `button.lua.jinja` is what a button runs.
"""
