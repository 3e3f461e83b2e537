"""The tests: folders as in the product, helpers in support/, figures in benchmarks/."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # the checkout
