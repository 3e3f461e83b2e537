"""Subjects: what the nodes know about a kind of thing, as documents; `face` and `hand` ship."""
