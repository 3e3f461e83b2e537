"""The models, each one class in one file, found by its name; a new one is found by being put here."""
