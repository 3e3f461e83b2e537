"""Subjects: descriptions of kinds of things for the nodes, as documents; `face` and `hand` ship."""
