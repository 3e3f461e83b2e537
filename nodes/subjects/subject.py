"""A subject: landmarks, a mean template, how stable each landmark is, mirror pairs and named regions."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from nodes.errors import SchemaError
from nodes.schema import check_schema
from nodes.types import Float, Int

SCHEMA = "faceplate.subject/1"


@dataclass(frozen=True, eq=False)
class Subject:
    """One kind of thing that can be aligned.

    template: [L, 3], mean shape, centred, root-mean-square radius 1, upright and facing the camera (x right, y down, z away
    from the camera). weights: [L], how much each landmark counts in the fit: the inverse variance under expression.
    mirror: [L], the landmark that each becomes under a left-right flip. triangles: [T, 3], the surface, closed over eyes and
    mouth. contours: name → landmark indices, in order.
    """

    name: str
    template: Float
    weights: Float
    mirror: Int
    triangles: Int
    contours: dict[str, Int]

    @cached_property
    def template_id(self) -> str:
        """Names the crop template: crops, models and facesets go together when theirs is the same. Changes with the numbers."""
        numbers = np.concatenate([self.template.ravel(), self.weights]).astype("<f4")
        return f"{self.name}/{hashlib.sha256(numbers.tobytes()).hexdigest()[:8]}"


@cache
def load_subject(name: str = "face") -> Subject:
    """Read the subject that ships under `name`; SchemaError when the document is damaged or newer."""
    path = Path(__file__).parent / f"{name}.json"
    try:
        document = json.loads(path.read_text())
        check_schema(document["schema"], SCHEMA, path)
        triangles = json.loads((path.parent / document["triangles"]).read_text()) + document["fill"]
        return Subject(
            name,
            np.array(document["template"], np.float32),
            np.array(document["weights"], np.float32),
            np.array(document["mirror"]),
            np.array(triangles),
            {k: np.array(v) for k, v in document["contours"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise SchemaError(f"is no subject ({e})", file=path, remedy="Install Faceplate again") from e
