"""Objects apart and together, their order, and how sure one is of them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, optimize

from semantic_guidance.core.guidance import Box, Point
from semantic_guidance.guidance import logistic
from semantic_guidance.guidance.asked import Glances
from semantic_guidance.guidance.confidence import Evidence, features, salience
from semantic_guidance.guidance.instances import MIN_CONFIDENCE, found_instances, grouped, masks_of, told
from semantic_guidance.guidance.parts import View, cross, flooded, neighbours, split, swellings
from semantic_guidance.guidance.people import parted, people
from semantic_guidance.guidance.segmenter import Sight

H, W = 192, 256
ROWS, COLUMNS = np.mgrid[:H, :W]


def disc(row: float, column: float, radius: float) -> np.ndarray:
    return (ROWS - row) ** 2 + (COLUMNS - column) ** 2 <= radius**2


def bar(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    return (top <= ROWS) & (bottom > ROWS) & (left <= COLUMNS) & (right > COLUMNS)


def pixels(shape: np.ndarray) -> np.ndarray:
    """An orange shape before a grey-blue wall, a little noisy."""
    noise = np.random.default_rng(0).integers(-8, 8, (*shape.shape, 1))
    return np.clip(np.where(shape[..., None], (220, 140, 40), (60, 90, 120)) + noise, 0, 255).astype(np.uint8)


def view(shape: np.ndarray) -> View:
    return View.of(pixels(shape), shape.astype(np.float32))


FIVE = np.any([disc(96 + 52 * np.sin(a), 128 + 52 * np.cos(a), 31.5) for a in np.arange(5) * 0.4 * np.pi], 0)
FIGURE = disc(40, 128, 16) | bar(50, 120, 106, 150) | bar(118, 185, 112, 118) | bar(118, 185, 140, 146)


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        (disc(96, 80, 44) | disc(96, 166, 44), 2),
        (disc(96, 95, 44) | disc(96, 150, 44) | bar(64, 128, 95, 150), 1),
        (FIGURE, 1),
        (FIVE, 5),
        (disc(96, 128, 60) & ~bar(90, 102, 0, W), 1),
        (disc(96, 80, 40) | disc(96, 164, 40), 2),
        (disc(96, 128, 60), 1),
        (np.zeros((H, W), bool), 0),
    ],
    ids=[
        "touching discs",
        "peanut",
        "figure",
        "five",
        "behind a bar",
        "side by side",
        "disc",
        "nothing",
    ],
)
def test_things_apart_and_together(shape, count):
    labels = told(view(shape))
    assert len(np.unique(labels[labels > 0])) == count
    assert not labels[~shape].any()


def test_touching_discs_are_cut_where_they_touch():
    labels = told(view(disc(96, 80, 44) | disc(96, 166, 44)))
    left = labels == labels[96, 80]
    truth = disc(96, 80, 44) & (COLUMNS < 123)
    assert (left & truth).sum() / (left | truth).sum() > 0.98


def test_a_click_that_takes_both_parts_keeps_them_together():
    shape = disc(96, 80, 44) | disc(96, 166, 44)
    model = logistic.Logistic(("crossing",), (0.5,), (0.1,), (-1.0,), 0.0)

    def parts(whole: bool) -> int:
        def ask(questions, size):
            assert size == (H, W)
            masks = [shape if whole else disc(y, x, 44) for ((x, y, _),) in questions]
            return np.stack(masks).astype(np.float32), [0.9] * len(questions)

        return int(split(view(shape), shape, ask, {"asked": model, "cut": model}).max())

    assert parts(whole=True) == 1
    assert parts(whole=False) == 2


def person(
    column: int, size: int = 20, top: int = 30
) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """A head on a body that reaches the frame, and the box of its face."""
    head = disc(top + size * 0.6, column, size * 0.75)
    body = bar(round(top + size * 1.2), H, round(column - 1.8 * size), round(column + 1.8 * size))
    return head | body, (column - size / 2, top, size, 1.2 * size)


def group(*columns: int) -> tuple[np.ndarray, list[np.ndarray], list[Box]]:
    """A picture of people in different shirts, each before the one on the left, their shapes and faces."""
    seen, owner, boxes = pixels(np.zeros((H, W), bool)), np.zeros((H, W), int), []
    for n, column in enumerate(columns, start=1):
        shape, box = person(column)
        seen[shape] = ((220, 140, 40), (40, 150, 60), (150, 60, 160))[n - 1]
        owner[shape] = n
        boxes.append(box)
    return seen, [owner == n for n in range(1, len(columns) + 1)], boxes


def test_people_are_cut_between_where_the_picture_has_an_edge():
    """The one in the middle stands before the first: the edge is not half-way between their faces."""
    seen, figures, boxes = group(60, 120, 190)
    solid = np.any(figures, axis=0)
    labels = told(View.of(seen, solid.astype(np.float32)), faces=boxes)
    for figure, (x, y, w, h) in zip(figures, boxes, strict=True):
        ours = labels == labels[int(y + h / 2), int(x + w / 2)]
        assert (ours & figure).sum() / (ours | figure).sum() > 0.97
    assert grouped(labels, boxes).max() == 1
    assert grouped(labels, ()).max() == 3


@pytest.mark.parametrize(
    "other",
    [(150, 10, 8, 9), (152, 20, 20, 24), (118, 44, 8, 9)],
    ids=["beside the shape", "off the body", "small, in the background"],
)
def test_faces_that_are_nobody_part_nothing(other):
    shape, box = person(120)
    assert people(shape, [box, other]) == [box]
    assert parted(view(shape), shape, [box, other]) is None


def test_what_is_far_from_all_faces_is_nobody_s():
    """A bus behind two people is a third thing."""
    seen, figures, boxes = group(40, 110)
    bus = bar(70, 160, 100, W) & ~np.any(figures, axis=0)
    boxes = [(x + 3, y, 14, 17) for x, y, _, _ in boxes]
    seen[bus] = (60, 60, 220)
    solid = np.any(figures, axis=0) | bus
    labels = parted(View.of(seen, solid.astype(np.float32)), solid, boxes)
    assert labels.max() == 3
    assert ((labels == 3) & bus).sum() / ((labels == 3) | bus).sum() > 0.9


def test_a_doll_s_face_marks_no_person():
    doll = disc(96, 80, 30) | disc(96, 150, 30)
    assert people(doll, [(62, 72, 36, 44), (132, 72, 36, 44)]) == []


def test_a_decoder_of_clicks_moves_the_cut():
    """Where the picture says nothing, what is seen under the faces decides."""
    shape = bar(20, H, 0, W)
    boxes = [(60.0, 40.0, 20.0, 24.0), (160.0, 40.0, 20.0, 24.0)]

    def ask(questions, size):
        assert [point.positive for point in questions[1]] == [True, True, False, False]
        assert questions[1][0] == Point(170, 52)
        assert questions[0][2:] == [point._replace(positive=False) for point in questions[1][:2]]
        return np.stack([bar(0, H, 0, 140), bar(0, H, 140, W)]).astype(np.float32), [0.9, 0.9]

    cuts = [parted(View.of(pixels(shape), shape * 1.0), shape, boxes, each)[100] for each in (None, ask)]
    places = [int((row == 1).sum()) for row in cuts]
    assert places[0] == pytest.approx(120, abs=8)
    assert places[1] > places[0] + 3


@settings(max_examples=5, deadline=None)
@given(st.lists(st.tuples(st.integers(40, W - 40), st.integers(14, 24)), min_size=2, max_size=4))
def test_people_share_their_shape_out(places):
    figures = [person(column, size) for column, size in places]
    solid = np.any([shape for shape, _ in figures], axis=0)
    boxes = [box for _, box in figures]
    labels = parted(view(solid), solid, boxes)
    if labels is not None:
        assert np.array_equal(labels > 0, solid)
        assert labels.max() <= len(people(solid, boxes))


def test_how_far_answers_cross():
    a, b = bar(0, 10, 0, 10), bar(0, 10, 10, 20)
    one, other = a.astype(np.float32), (a | b).astype(np.float32)
    assert cross(one, b.astype(np.float32), a, b) == {"crossing": 0.0, "one_way": 0.0}
    assert cross(one, other, a, b) == {"crossing": 0.5, "one_way": 1.0}


def test_flooding_takes_the_nearest_label():
    labels = np.zeros((40, 50), np.int32)
    labels[5, 5], labels[30, 40], labels[10, 30] = 3, 1, 2
    inside = np.ones((40, 50), bool)
    inside[20] = False
    where = ndimage.distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
    assert (flooded(labels, inside) == np.where(inside, labels[tuple(where)], 0)).mean() > 0.99


def test_swellings_of_a_shape_cover_it():
    shape = disc(60, 60, 30) | disc(120, 180, 40) | bar(60, 120, 60, 66) | bar(114, 120, 60, 180)
    labels, distance = swellings(shape)
    assert np.array_equal(labels > 0, shape)
    assert labels[60, 60] != labels[120, 180]
    assert distance.max() == pytest.approx(40, abs=1.5)
    assert neighbours(np.array([[1, 2], [0, 3]], np.int32)) == [(1, 2), (2, 3)]


blobs = st.lists(
    st.tuples(st.integers(10, H - 10), st.integers(10, W - 10), st.integers(6, 40)), min_size=1, max_size=5
)


@settings(max_examples=6, deadline=None)
@given(blobs)
def test_instances_share_the_mask_out(circles):
    shape = np.any([disc(*circle) for circle in circles], axis=0)
    soft = ndimage.gaussian_filter(shape.astype(np.float32), 2)
    labels = told(View.of(pixels(shape), soft))
    masks = np.stack(masks_of(labels, soft))
    assert ((masks > 0).sum(axis=0) <= 1).all()
    near = ndimage.binary_dilation(labels > 0, iterations=3)
    np.testing.assert_array_equal(masks.sum(axis=0)[near], soft[near])


def picture() -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """A large orange disc near the middle, and a small grey one in a corner."""
    large, small = disc(90, 120, 50), disc(165, 230, 18)
    image = pixels(large)
    image[small] = (80, 100, 125)
    return torch.from_numpy(image).permute(2, 0, 1).float() / 255, large, small


def sight(shapes: list[np.ndarray], presence: float = 0.99) -> Sight:
    soft = torch.from_numpy(np.any(shapes, axis=0).astype(np.float32))[None]
    return Sight(soft, presence, soft.repeat(3, 1, 1), soft)


def test_the_most_salient_comes_first(monkeypatch):
    image, large, small = picture()
    monkeypatch.setattr("semantic_guidance.guidance.instances.confidence", lambda rows: [0.5] * len(rows))
    found = found_instances(image, sight([small, large]))
    assert found[0].salience == 1.0
    assert found[1].salience < 0.5
    assert found[0].box == (70, 40, 101, 101)
    assert found[1].box == (212, 147, 37, 37)
    assert {each.kind for each in found} == {"object"}


def test_the_hardly_likely_is_dropped(monkeypatch):
    image, large, small = picture()

    def confidence(rows):
        return [0.9 if row["area"] > -3 else MIN_CONFIDENCE / 2 for row in rows]

    monkeypatch.setattr("semantic_guidance.guidance.instances.confidence", confidence)
    found = found_instances(image, sight([small, large]))
    assert [each.confidence for each in found] == [0.9]
    assert float(found[0].mask[0][small].max()) == 0


def test_what_is_measured_by_hand():
    image, large, small = picture()
    seen = sight([small, large], presence=1 / (1 + np.exp(-2)))
    bytes_seen = (image.permute(1, 2, 0) * 255).byte().numpy()
    known = Evidence.of(image, View.of(bytes_seen, seen.mask[0].numpy()), seen)
    rows = features(known, [large, small])
    assert rows[0]["presence"] == pytest.approx(2)
    assert rows[0]["area"] == pytest.approx(np.log(large.mean()), abs=1e-3)
    assert rows[0]["inside"] == rows[0]["looks"] == rows[0]["zoom"] == rows[0]["edges"] == 1
    assert rows[0]["border"] == rows[1]["border"] == 0
    assert rows[0]["contrast"] > 0.8 > 0.7 > rows[1]["contrast"]
    assert rows[0]["others"] == pytest.approx(np.log(2))
    assert np.isnan(rows[0]["click"])
    assert salience(known, [large, small])[0] == 1

    def ask(questions, size):
        assert questions[0][0][:2] == pytest.approx((120.5, 90.5), abs=2)
        return np.stack([large, np.zeros_like(large)]).astype(np.float32), [0.8, 0.3]

    asked = features(known, [large, small], ask)
    assert [row["click"] for row in asked] == [1, 0]
    assert [row["expected"] for row in asked] == [0.8, 0.3]


def test_a_scene_without_an_object_is_doubted():
    """With the weights that ship, a shape is less likely an object where there is probably none."""
    image, large, _ = picture()
    sure = [found_instances(image, sight([large], presence)) for presence in (0.999, 0.5, 0.01)]
    confidences = [found[0].confidence if found else 0.0 for found in sure]
    assert confidences == sorted(confidences, reverse=True)
    assert confidences[0] > 0.8 > 0.5 >= confidences[1] > 0.1 > confidences[2]


def synthetic(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 3)) * (1, 5, 0.2) + (0, 10, -3)
    chance = 1 / (1 + np.exp(-(0.4 + 1.2 * x[:, 0] - 0.3 * (x[:, 1] - 10))))
    return x, chance, (rng.random(count) < chance).astype(float)


def test_logistic_regression_agrees_with_a_minimiser():
    x, _, yes = synthetic(300)
    model = logistic.fit(("a", "b", "c"), x, yes, ridge=2.0)
    z = np.c_[(x - x.mean(axis=0)) / x.std(axis=0), np.ones(len(x))]

    def loss(w):
        odds = z @ w
        return np.logaddexp(0, odds).sum() - yes @ odds + (w[:-1] ** 2).sum()

    best = optimize.minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-9}).x
    np.testing.assert_allclose([*model.weights, model.bias], best, atol=1e-5)


def test_probabilities_are_found_and_kept():
    x, chance, yes = synthetic(20000)
    said = logistic.fit(("a", "b", "c"), x, yes)(x)
    assert np.abs(said - chance).mean() < 0.01
    table, error = logistic.reliability(said, yes)
    assert error < 0.01
    assert sum(count for _, _, count in table) == len(x)
    assert all(abs(mean - share) < 0.03 for mean, share, _ in table)


def test_reliability_by_hand():
    table, error = logistic.reliability(np.array([0.1, 0.1, 0.9, 0.9]), np.array([0.0, 1, 1, 1]), bins=2)
    assert table == [pytest.approx((0.1, 0.5, 2)), pytest.approx((0.9, 1.0, 2))]
    assert error == pytest.approx((0.4 * 2 + 0.1 * 2) / 4)


def test_missing_features_count_as_usual_ones(tmp_path):
    x, _, yes = synthetic(200)
    x[::3, 1] = np.nan
    model = logistic.fit(("a", "b", "c"), x, yes)
    one = {"a": 0.3, "b": float("nan"), "c": -3.0, "more": 1.0}
    assert model.of(one) == pytest.approx(model.of({**one, "b": model.mean[1]}))
    logistic.write({"it": model}, tmp_path / "m.json")
    again = logistic.read(tmp_path / "m.json")["it"]
    np.testing.assert_allclose(again(x), model(x), atol=1e-4)
    assert again.names == model.names
    with pytest.raises(ValueError, match=r"features have shape \[200, 3\], wanted \[200, 2\]"):
        logistic.fit(("a", "b"), x, yes)


def test_glances_place_clicks_and_sizes():
    asked = []

    def decoder(known, clicks):
        asked.append(clicks)
        return clicks.salient * 20 - 10, torch.zeros(len(clicks.points))

    salient = torch.zeros(1, 1, 64, 96)
    salient[..., :48] = 1
    look = SimpleNamespace(salient=salient, view=SimpleNamespace(of=lambda owner: owner))
    features = SimpleNamespace(looks=(look,))
    clicks = SimpleNamespace(threads=1, decoder=decoder, encode=lambda image, found, sides: features)
    questions = [[Point(15, 10)], [Point(75, 50), Point(30, 20, False)]]
    masks, expected = Glances(clicks, torch.zeros(3, 100, 150))(questions, (100, 150))
    points = [[[9.6, 6.4, 1], [0, 0, 0]], [[48.0, 32.0, 1], [19.2, 12.8, -1]]]
    np.testing.assert_allclose(asked[0].points, points, rtol=1e-6)
    assert expected == [0.5, 0.5]
    assert masks.shape == (2, 100, 150)
    assert masks[0, 50, 20] > 0.99 > 0.01 > masks[0, 50, 120]
