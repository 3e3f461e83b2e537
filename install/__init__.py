"""Installation of Faceplate: `bootstrap.py` (standard library only), installers for hosts, and `doctor`, which checks a machine."""
