"""Faceplate in Fusion, on its own and inside DaVinci Resolve: Fuses, macros and the scripts of Resolve's menus.

`build` writes what is installed. Of all this only what it writes, and `scripts`, is ever loaded by a host: the rest runs in Faceplate's own
environment. Nothing here computes a picture; the Fuses lay finished ones over each other.
"""
