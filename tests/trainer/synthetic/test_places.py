"""Places are pictures that light a scene as they look, with nothing blinding behind a person."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from trainer.synthetic.places import Place, place_image


@pytest.mark.parametrize("place", get_args(Place))
def test_a_place_is_made_from_its_seed(place: Place) -> None:
    image = place_image(place, 3)
    assert image.shape == (512, 1024, 3)
    assert image.dtype == np.float32
    assert np.isfinite(image).all() and image.min() >= 0
    assert np.array_equal(image, place_image(place, 3))
    assert not np.array_equal(image, place_image(place, 4))


def test_windows_stand_beside_a_person_and_not_behind() -> None:
    for seed in range(12):
        image = place_image("room", seed)
        assert image[:, 256 - 70 : 256 + 70].max() < 3
        assert image.max() > 3
