"""The face mesh as the 68 points of the Multi-PIE / iBUG 300-W convention.

Gross et al. 2010, "Multi-PIE"; Sagonas et al. 2013, "300 Faces in-the-Wild Challenge". Indices, the subject's own right first
(it is on the left of the picture): 0-16 jaw from ear to ear over the chin (8), 17-21 and 22-26 brows, 27-30 bridge of the
nose down to its tip, 31-35 under the nose, 36-41 and 42-47 eyes (36, 39 and 42, 45 the corners, upper lid, lower lid),
48-59 outer lips from corner 48 over the upper lip to corner 54, 60-67 inner lips likewise from 60 to 64.

How it was chosen: of the mesh's points on the same contour (face oval, brow, midline, eyelids, lips), the one that lies nearest
on average to what dlib's 68-point landmarker finds, over three performers and 276 frames, as pairs that mirror each other. Only
the corners of the eyes are the mesh's own corners, because the openings are measured against their distance. docs/report.md
has the measured distances.
"""

from __future__ import annotations

import numpy as np

from nodes.types import Float, Int

# fmt: off
MESH_TO_68: Int = np.array([
    127, 234, 132, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 361, 454, 356,  # jaw
    70, 63, 105, 66, 55,  # right brow, from its outer end
    285, 296, 334, 293, 300,  # left brow, from its inner end
    168, 197, 195, 4,  # bridge of the nose, down
    240, 99, 2, 328, 460,  # under the nose
    33, 160, 158, 133, 153, 144,  # right eye, from its outer corner
    362, 385, 387, 263, 373, 380,  # left eye, from its inner corner
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,  # outer lips
    78, 82, 13, 312, 308, 317, 14, 87,  # inner lips
])
# fmt: on


def to_68(landmarks: Float) -> Float:
    """Pick the 68 points out of the mesh: [..., >=468, 3] or [..., >=468, 2] in plate pixels → [..., 68, 2]."""
    picked: Float = landmarks[..., MESH_TO_68, :2]
    return picked
