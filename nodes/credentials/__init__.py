"""Content Credentials (C2PA): what a result is and where it comes from, said in it or beside it, signed.

Plain data in; the library `c2pa` makes and reads the manifests. Who may be used for what is decided in `nodes.consent`.
"""
