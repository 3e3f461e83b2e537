"""Results as a Fuse in Fusion reads them: pictures that every version of it can open, and an index in Lua, below a folder `fusion`.

A Fuse has no JSON, no EXR that is sure to open, and in some editions no files but by `loadfile` and `Clip`. So pictures are opaque PNG
(no alpha that a reader might multiply in), and the index is a table that Lua itself reads. Nothing here knows what a Fuse does with it.
"""
