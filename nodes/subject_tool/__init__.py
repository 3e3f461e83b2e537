"""The maker of subjects: a user's own subject described, fitted to footage and shown.

Above `nodes.detect`; `nodes.subjects` defines and reads subjects.
"""
