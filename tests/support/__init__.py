"""Helpers of the tests: clips, projects, facesets, hosts and engines to test with. No tests in here."""
