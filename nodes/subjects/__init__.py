"""Subjects: what the nodes know about a kind of thing, as documents; `face` and `hand` ship."""

from nodes.subjects.subject import (
    Likeness,
    Opening,
    Part,
    Region,
    Subject,
    find_subject,
    known_subjects,
    load_subject,
    read_subject,
)

__all__ = [
    "Likeness",
    "Opening",
    "Part",
    "Region",
    "Subject",
    "find_subject",
    "known_subjects",
    "load_subject",
    "read_subject",
]
