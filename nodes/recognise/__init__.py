"""Recognise: describe a face as 128 numbers, and measure how near two faces are to one person's.

Used to judge a result and to tell people of one shot apart. No list of people is kept or searched here.
"""

from nodes.recognise.descriptor import describe, likeness
from nodes.recognise.persons import of_one_person

__all__ = ["describe", "likeness", "of_one_person"]
