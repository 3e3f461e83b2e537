"""The scripts of Resolve's menus: Lua for every edition, Python for Studio, and what puts them together.

`lua` holds the parts of the Lua scripts: each script is the library, what it needs besides, and itself, in one file, because the free edition has no
`require`. `python` is loaded by Resolve's own Python, with `client.py` beside it. What both do is the same; see docs/resolve.md.
"""
