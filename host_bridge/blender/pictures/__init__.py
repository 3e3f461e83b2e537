# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender reads, made of what the engine wrote: whole frames, boxes, landmarks. With numpy alone, and in a process of its own (`__main__`)."""
