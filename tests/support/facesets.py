"""A few crops of a sample clip as a faceset, for tests that need real faces and not a real gathering of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from nodes.align import align
from nodes.cache import digest_footage
from nodes.consent.gate import Clip, of_faceset, permit
from nodes.definitions import DEFAULT_CONSENT, AlignParameters
from nodes.detect.kept import analyse
from nodes.footage.footage import open_footage
from nodes.geometry.sampling import crop
from nodes.mask import draw_matte
from trainer.faceset import Faceset

_FRAMES = 160


def tiny_faceset(samples: Path, clip: str, folder: Path, count: int = 24, size: int = 96, first: int = 0) -> Faceset:
    """Cut `count` crops of `size` pixels evenly out of the frames of a sample clip from `first` on; arrays memory-mapped in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with open_footage(samples / clip) as footage:
        faces = analyse(footage, first=first, last=first + _FRAMES - 1)
        found = align(faces, AlignParameters(size=size)).crops[0]
        chosen = np.linspace(0, len(found.track) - 1, count).round().astype(int)
        frames = {int(found.track.frames[i]): i for i in chosen}
        crops = np.stack(
            [
                crop(frame.rgb8(), found.to_plate[frames[frame.index]][None], size)[0]
                for frame in footage.frames(min(frames), max(frames))
                if frame.index in frames
            ]
        )
        rate, digest = float(footage.info.rate), digest_footage(footage.info.path)
    landmarks = found.landmarks[chosen]
    return Faceset(
        folder=folder,
        performer=Path(clip).stem,
        subject=found.subject,
        template=found.subject.template_id,
        coverage=found.coverage,
        size=size,
        clips=(clip,),
        rates=(rate,),
        crops=_mapped(folder / "crops.npy", crops),
        masks=_mapped(
            folder / "masks.npy", np.round(draw_matte(landmarks, size, found.subject) * 255).astype(np.uint8)
        ),
        landmarks=_mapped(folder / "landmarks.npy", landmarks.astype(np.float32)),
        clip=np.zeros(count, np.int64),
        frame=found.track.frames[chosen],
        track=np.zeros(count, np.int64),
        to_plate=found.to_plate[chosen],
        yaw_pitch=np.zeros((count, 2), np.float32),
        sharpness=np.array([cv2.Laplacian(c, cv2.CV_32F).var() for c in crops], np.float32),
        score=found.track.scores[chosen],
        digest=f"{clip} {first} {count} {size}",
        provenance=permit(of_faceset(Path(clip).stem, [Clip(footage.info.path, digest)]), DEFAULT_CONSENT, folder),
    )


def _mapped(path: Path, values: np.ndarray) -> np.ndarray:
    np.save(path, values)
    return np.load(path, mmap_mode="r")
