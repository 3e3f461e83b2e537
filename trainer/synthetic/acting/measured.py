"""Performances measured on footage: our own analysis of a clip, as curves without the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from nodes.align import align
from nodes.align.pose import take_performance
from nodes.cache import digest_footage
from nodes.detect import main_tracks
from nodes.detect.kept import analyse
from nodes.errors import NoFaceError
from nodes.footage.footage import open_footage
from nodes.geometry.smoothing import smooth, smooth_rotations, window_length
from nodes.subjects.subject import load_subject
from nodes.types import Float
from trainer.synthetic.acting.performance import Acting, ActingOrigin

_WINDOW = 0.12  # seconds over which curves are smoothed: short enough for a blink
_POSE_WINDOW = 0.3  # seconds, of the pose
_REST, _MOST_REST = 10.0, 0.4  # percentile of a curve that is the person's own rest, and the most that counts as rest
_CORNERS, _WIDTH = (33, 263), 0.09  # landmarks: outer corners of the eyes; metres between them
_DISTANCE = 1.2  # metres to the camera, which footage does not tell
_MOST_OFFSET = 0.25  # metres
_LEVER = np.array([0.0, -0.09, 0.13])  # metres from the neck's joint, about which a head turns, to the face's middle

_WORLD = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float64)  # picture (x right, y down, z away) to world axes


def measure_acting(clip: Path, first: int = 0, last: int | None = None) -> Acting:
    """Measure the main face of a clip from frame `first` to `last`, inclusive; of several tracks, the longest.

    Expressions are those beyond the person's own rest: what the calmest tenth of the frames shows is taken off. The pose is
    relative to the camera, positions to their median. Raises FootageError, and NoFaceError where no face is found.
    """
    with open_footage(clip) as footage:
        faces = analyse(footage, first=first, last=last)
        rate = footage.info.rate
    tracks = main_tracks(faces)
    if not tracks:
        raise NoFaceError("shows no face", file=clip, remedy="Choose another clip, or other frames")
    longest = max(range(len(tracks)), key=lambda k: len(tracks[k]))
    subject = load_subject(faces.subject)
    alignment = next(a for a in align(faces).crops if a.track.id == tracks[longest].id)
    performance = take_performance(alignment.track.landmarks, subject)
    seconds = float(rate)
    coefficients = smooth(performance.coefficients, window_length(_WINDOW, seconds))
    pose = window_length(_POSE_WINDOW, seconds)
    rotation = smooth_rotations(performance.rotation, pose)
    metres = _WIDTH / float(np.linalg.norm(np.subtract(*subject.template[list(_CORNERS)])))
    yaw, pitch, roll = head_angles(rotation)
    offset = _offsets(smooth(performance.position, pose), smooth(performance.scale, pose), rotation, metres)
    origin = ActingOrigin(
        kind="measured", clip=clip.name, digest=digest_footage(clip), first=int(alignment.track.frames[0])
    )
    return Acting(rate, beyond_rest(coefficients), yaw, pitch, roll, offset, origin)


def beyond_rest(coefficients: Float) -> Float:
    """Take a person's rest off coefficients [T, 52]: the resting value becomes 0, and 1 stays 1."""
    rest = np.minimum(np.percentile(coefficients, _REST, axis=0), _MOST_REST)
    moved = np.asarray(np.clip((coefficients - rest) / (1 - rest), 0, 1), np.float32)
    moved[:, 0] = 0  # the neutral one says only how little the others say
    return moved


def head_angles(rotation: Float) -> tuple[Float, Float, Float]:
    """Read yaw, pitch and roll in degrees, [T] each, from rotations [T, 3, 3] of the template into the picture."""
    # The head rolls first, then pitches, then yaws. About x, the world's positive turn is downward.
    angles = Rotation.from_matrix(_WORLD @ rotation @ _WORLD.T).as_euler("ZXY", degrees=True) * (1, -1, 1)
    yaw, pitch, roll = np.asarray(angles, np.float32).T
    return yaw, pitch, roll


def _offsets(position: Float, scale: Float, rotation: Float, metres: float) -> Float:
    """Place the head in metres: what the turn about the neck does not explain."""
    place = position @ _WORLD.T / np.median(scale) * metres
    place[:, 1] = _DISTANCE * np.median(scale) / scale  # smaller is farther
    place -= np.einsum("tij,j->ti", _WORLD @ rotation @ _WORLD.T, _LEVER)
    return np.asarray(np.clip(place - np.median(place, axis=0), -_MOST_OFFSET, _MOST_OFFSET), np.float32)
