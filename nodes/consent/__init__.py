"""Performers, the consent they gave, and what was made with it: a chain of signed records in the project's folder `performers/`.

No host, no command line. It decides who may be replaced by whom; the code that writes results asks it.
"""
