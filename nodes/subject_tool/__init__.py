"""The maker of subjects: a user's own subject described, fitted to footage and shown.

Above `nodes.detect`; what a subject is, and how one is read, stands in `nodes.subjects`.
"""
