"""A rendered shot as nodes that Fusion has itself, for those who install no Fuses: Loader, MatteControl and Merge in a macro.

`graph` says which nodes and how they are linked, `documents` writes them as .setting, .comp and .drfx, `icon` draws the picture of the effect.
"""
