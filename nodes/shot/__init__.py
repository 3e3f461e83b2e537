"""A shot from footage to finished files: analysis that is kept, the render that can be interrupted, and their documents.

Nothing here computes pixels of a face, and nothing knows of a host.
"""
