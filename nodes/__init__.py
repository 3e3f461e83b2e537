"""The nodes and what they compute: footage, faces, mattes, patches.

No host, no training, no torch. Data flows one way: footage → detect → align → mask → swap, called by one graph (`nodes.graph`), into a shot and its report.
"""

import logging

__version__ = "0.1.0"

# A host, or a program that imports us, prints none of our log records unless it asks for them; see `nodes.log`.
for _package in ("nodes", "trainer", "host_bridge"):
    logging.getLogger(_package).addHandler(logging.NullHandler())
