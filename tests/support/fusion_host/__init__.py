"""What stands in for Fusion in the tests: the documented Fuse API over numpy images (Fusion 18 Fuse SDK), its scripts' objects, its files.

It refuses whatever is not documented, and where a document says two things it takes neither. It is no Fusion: filters have the right idea
and not the right weights.
"""
