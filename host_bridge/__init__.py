"""Interfaces to hosts: the command line, the engine that runs `jobs`, Blender, Fusion and Resolve, and whole edits (`timeline`)."""
