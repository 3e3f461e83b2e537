# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside Blender: it builds the scene that it is given and renders its frames."""
