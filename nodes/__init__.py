"""What the nodes are and what they compute: footage, faces, mattes, patches.

No host, no training, no torch. Data flows one way: footage → detect → align → mask → swap, called by one graph (`nodes.graph`), into a shot and its report.
"""

import logging

__version__ = "0.1.0"

# Nothing of ours is printed in a host, or in a program that uses us, unless that asks for it; see `nodes.log`.
for _package in ("nodes", "trainer", "host_bridge"):
    logging.getLogger(_package).addHandler(logging.NullHandler())
