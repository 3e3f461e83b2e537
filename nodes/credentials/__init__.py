"""Content Credentials (C2PA): signed manifests of results and their origin, in the file or beside it.

Plain data in; the library `c2pa` makes and reads the manifests. `nodes.consent` decides who may be used for what.
"""
