"""A shot from footage to finished files: cached analysis, a render that can be interrupted, and their documents.

It computes no pixels of a face, and is independent of hosts.
"""
