"""What the nodes are and what they compute: footage, faces, mattes, patches.

No host, no training, no torch. Data flows one way: footage → detect → align → mask → swap → report.
"""

__version__ = "0.1.0"
