"""Subjects: what the nodes know about a kind of thing, as documents; `face` and `hand` ship."""

from nodes.subjects.subject import Likeness, Region, Subject, find_subject, known_subjects, load_subject, read_subject

__all__ = ["Likeness", "Region", "Subject", "find_subject", "known_subjects", "load_subject", "read_subject"]
