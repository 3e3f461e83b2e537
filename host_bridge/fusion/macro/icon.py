"""The picture of an effect in Resolve's library: 104 x 58, a face that is half there."""

from __future__ import annotations

import cv2
import numpy as np

WIDTH, HEIGHT = 104, 58
_FINE = 8  # times as large when drawn


def draw_icon() -> bytes:
    """Draw it; returns a PNG."""
    size = (HEIGHT * _FINE, WIDTH * _FINE, 3)
    picture = np.full(size, (38, 34, 32), np.uint8)
    middle, axes = (WIDTH * _FINE // 2, HEIGHT * _FINE // 2), (17 * _FINE, 22 * _FINE)
    face = np.zeros(size[:2], np.uint8)
    cv2.ellipse(face, middle, axes, 0, 0, 360, 255, -1)
    left = face.copy()
    left[:, middle[0] :] = 0
    picture[face > 0] = (96, 88, 84)
    picture[left > 0] = (88, 150, 236)
    for step in range(0, 360, 20):
        cv2.ellipse(picture, middle, (axes[0] + 3 * _FINE, axes[1] + 3 * _FINE), 0, step, step + 11, (230, 226, 222), 5)
    for side in (-1, 1):
        cv2.ellipse(
            picture, (middle[0] + side * 7 * _FINE, middle[1] - 5 * _FINE), (20, 14), 0, 0, 360, (38, 34, 32), -1
        )
    cv2.ellipse(picture, (middle[0], middle[1] + 6 * _FINE), (9 * _FINE, 6 * _FINE), 0, 25, 155, (38, 34, 32), 10)
    cv2.line(picture, (middle[0], middle[1] - axes[1]), (middle[0], middle[1] + axes[1]), (230, 226, 222), 4)
    small = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".png", small)[1])
