"""Getting Faceplate onto a machine: `bootstrap.py` (standard library only), and `doctor`, which says what is there."""
