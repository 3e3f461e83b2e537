"""Performers, the consent they gave, and what was made with it: a chain of signed records in the project's folder `performers/`.

No host, no command line; who may be replaced by whom is decided here, where it is asked is with those who write results.
"""
