"""Subjects: what alignment knows about a kind of thing, as documents; `face` ships."""

from nodes.subjects.subject import Subject, load_subject

__all__ = ["Subject", "load_subject"]
