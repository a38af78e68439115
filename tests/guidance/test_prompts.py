"""Points, boxes and words: what they select, what is looked at again, and what is refused."""

from __future__ import annotations

import os
import pickle
import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from semantic_guidance import Guidance, Guide, Instance, Prompt
from semantic_guidance.core.guidance import Point
from semantic_guidance.guidance import guide as guide_module
from semantic_guidance.guidance import look, selection, words
from semantic_guidance.guidance.base import NoGuide, refused
from semantic_guidance.guidance.classifier import imagenet_labels
from tests.guidance.filling import BARN_AT, HEIGHT, PARTS, WIDTH, Fill, Seeing, middle, part, scene


def plain() -> tuple[Seeing, Fill]:
    fill = Fill()
    return Seeing(fill), fill


def masks(guidance: Guidance) -> list[Tensor]:
    return [each.mask for each in guidance.instances]


def same(guidance: Guidance, *wanted: Tensor) -> bool:
    got = masks(guidance)
    return len(got) == len(wanted) and all(bool((a == b).all()) for a, b in zip(got, wanted, strict=True))


def test_positive_points_are_the_objects_exactly():
    guide, _ = plain()
    image = scene()
    assert same(guide(image, Prompt(points=[middle("car")])), part("car"))
    two = guide(image, Prompt(points=[middle("car"), middle("sun")]))
    assert same(two, part("car"), part("sun"))
    assert torch.equal(two.mask, part("car", "sun"))
    assert all(each.confidence == 1 for each in two.instances)
    # Both in one thing: one object. The door is a thing of its own, but small, and touches the barn.
    assert same(guide(image, Prompt(points=[BARN_AT, (55.0, 24.0)])), part("barn", without="door"))
    assert same(guide(image, Prompt(points=[BARN_AT, middle("door")])), part("barn"))
    assert guide.looks == 0  # nobody asked what draws the eye


def test_negative_points_take_away():
    guide, _ = plain()
    image = scene()
    away = Prompt(points=[BARN_AT, middle("door"), Point(*middle("door", 1), False)])
    assert same(guide(image, away), part("barn", without="door"))
    # Alone, from what is found: the door of the barn, all of the sun, nothing where nothing is.
    door = guide(image, Prompt(points=[Point(*middle("door"), False)]))
    assert {float((each > 0.5).sum()) for each in masks(door)} == {900 - 96, 144}
    assert same(guide(image, Prompt(points=[Point(*middle("sun"), False)])), part("barn"))
    untouched = guide(image, Prompt(points=[Point(*middle("car"), False)]))
    assert torch.equal(untouched.mask, part("barn", "sun"))
    gone = guide(image, Prompt(points=[Point(*middle("sun"), False), Point(*BARN_AT, False)]))
    assert gone.instances == ()
    assert not bool(gone.mask.any())


@pytest.mark.parametrize("scale", [1, 2])
def test_a_mask_is_corrected_and_otherwise_kept(scale, monkeypatch):
    """Also at more pixels than are looked at: what no point touches keeps each of its own."""
    monkeypatch.setattr(look, "LONGEST", WIDTH)
    guide, _ = plain()
    image = scene(scale)
    ragged = part("barn", "sun").repeat_interleave(scale, 1).repeat_interleave(scale, 2)
    ragged[:, 10 * scale, 8 * scale] = 0.25
    points = [
        Point(x * scale, y * scale, yes) for (x, y), yes in ((middle("car"), True), (middle("door"), False))
    ]
    guidance = guide(image, Prompt(mask=ragged, points=points))
    wanted = (
        part("barn", "sun", "car", without="door").repeat_interleave(scale, 1).repeat_interleave(scale, 2)
    )
    wanted[:, 10 * scale, 8 * scale] = 0.25
    wrong = (guidance.mask > 0.5) ^ (wanted > 0.5)
    assert float(wrong.float().mean()) < (1e-9 if scale == 1 else 4e-3)
    corner = (slice(None), slice(0, 18 * scale), slice(0, 20 * scale))
    assert torch.equal(guidance.mask[corner], wanted[corner])
    assert len(guidance.instances) == 3
    bare = guide.look(image)(Prompt(mask=ragged, points=points), whole=False)
    assert bare.mask.shape == (1, HEIGHT, WIDTH)
    assert bool(
        ((bare.mask > 0.5) == (part("barn", "sun", "car", without="door") > 0.5)).float().mean() > 0.99
    )


def test_boxes_and_points_together():
    guide, _ = plain()
    x, y, w, h = PARTS["sun"]
    around = (x - 1.0, y - 1.0, w + 2.0, h + 2.0)
    both = Prompt(boxes=[around, (29.0, 19.0, 32.0, 32.0)], points=[middle("car")])
    guidance = guide(scene(), both)
    assert len(guidance.instances) == 3
    assert bool((masks(guidance)[2] == part("car")).all())
    assert both.box is None
    assert Prompt(box=around).boxes == (around,) == Prompt(boxes=[around]).boxes
    assert Prompt(boxes=[around]).box == around


def test_the_second_look_is_none():
    guide, fill = plain()
    image = scene()
    guide(image)
    guide(image.clone())  # a picture is known by its content
    assert guide.looks == 1
    first = guide(image, Prompt(points=[middle("car")]))
    first.mask.zero_()  # what a caller does to the answer is not kept
    first.instances[0].mask.zero_()
    assert same(guide(image, Prompt(points=[middle("car")])), part("car"))
    guide(image, Prompt(points=[middle("car"), middle("sun")]))
    assert (fill.encoded, fill.asked) == (1, 2)  # once a click
    image[:, 0, 0] = 0  # another picture now
    guide(image, Prompt(points=[middle("car")]))
    assert (fill.encoded, guide.looks) == (2, 1)
    session = guide.look(scene())
    assert same(session(Prompt(points=[middle("sun")])), part("sun"))
    assert (fill.encoded, guide.looks) == (2, 1)
    assert torch.equal(session().mask, part("sun", "barn"))
    for n in range(3):
        guide((image + 0.01 * n).clamp(0, 1))
    assert len(guide._kept) == guide_module._KEPT
    assert pickle.loads(pickle.dumps(Guide(focus=False)))._kept == ()


def test_the_focus_of_what_is_unchanged_is_not_computed_again(monkeypatch):
    asked = []

    def focus_map(image, instances, model, among):
        asked.extend(instances)
        return torch.stack([each.mask * 0.5 for each in instances]).amax(0)

    monkeypatch.setattr(guide_module, "focus_map", focus_map)
    guide = Seeing(focus=True)
    first = guide(scene(), Prompt(points=[middle("car")]))
    second = guide(scene(), Prompt(points=[middle("car"), middle("sun")]))
    assert len(asked) == 2
    assert torch.equal(first.focus, part("car") * 0.5)
    assert torch.equal(second.focus, part("car", "sun") * 0.5)


def test_threads_and_forks_ask_the_same_guide():
    guide, _ = plain()
    image, names = scene(), ("sun", "car", "door")
    wrong = []

    def ask(name: str) -> None:
        right = [same(guide(image, Prompt(points=[middle(name)])), part(name)) for _ in range(5)]
        wrong.extend([name] * right.count(False))

    threads = [threading.Thread(target=ask, args=(name,)) for name in names]
    for each in threads:
        each.start()
    child = os.fork() if hasattr(os, "fork") else None
    if child == 0:
        os._exit(0 if same(guide(image, Prompt(points=[middle("sun")])), part("sun")) else 1)
    for each in threads:
        each.join()
    assert not wrong
    assert child is None or os.waitpid(child, 0)[1] == 0


def test_specks_that_nobody_clicked_are_left_out():
    mask = torch.zeros(1, 100, 100)
    mask[:, 10:30, 10:30] = 1  # clicked,
    mask[:, 31:33, 10:30] = 1  # near to that,
    mask[:, 60:64, 60:64] = 1  # a speck,
    mask[:, 60:75, 10:25] = 1  # and too large for one
    mask[:, 90, 90] = 0.4
    clean = selection.without_specks(mask, [Point(20, 20), Point(62, 62, False)])
    wanted = mask.clone()
    wanted[:, 60:64, 60:64] = 0
    assert torch.equal(clean, wanted)
    assert torch.equal(selection.without_specks(mask, [Point(20, 20), Point(62, 62)]), mask)


def test_the_face_of_somebody_taken_away_goes_too(monkeypatch):
    class Spotted:
        """A face in the barn's door."""

        box = (40.0, 38.0, 8.0, 12.0)

    asked = []

    def with_faces(image, guidance, everywhere=True, faces=None):
        asked.append((everywhere, len(faces)))
        return guidance

    monkeypatch.setattr(guide_module, "find_faces", lambda image: [Spotted()])
    monkeypatch.setattr(guide_module, "with_faces", with_faces)
    guide = Seeing(faces=True)
    guide(scene())
    guide(scene(), Prompt(points=[Point(*BARN_AT, False)]))
    guide(scene(), Prompt(points=[Point(*middle("door"), False)]))
    guide(scene(), Prompt(points=[Point(*middle("sun"), False)]))
    guide(scene(), Prompt(points=[BARN_AT]))
    assert asked == [(True, 1), (True, 0), (True, 0), (True, 1), (False, 1)]


def test_what_can_hardly_be_told_is_said(caplog):
    class Unsure(Fill):
        def __call__(self, features, points, previous=None):
            mask, _ = super().__call__(features, points, previous)
            return mask * 0, 0.1

    guidance = Seeing(Unsure())(scene(), Prompt(points=[(20.0, 30.0)]))
    assert bool(guidance.mask[0, 30, 20] > 0.5)  # there is something, for whoever paints
    assert "what lies under the point 20,30 can hardly be told" in caplog.text


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Prompt(points=[(1, 2, 3, 4)]), r"points\[0\] is \(1, 2, 3, 4\), wanted finite"),
        (lambda: Prompt(points=[(1, 2), (float("nan"), 2)]), r"points\[1\] is \(nan, 2\), wanted finite"),
        (lambda: Prompt(points=[("a", 2)]), r"points\[0\] is \('a', 2\), wanted finite"),
        (lambda: Prompt(points=[(1, 2)] * 65), "points are 65, wanted at most 64"),
        (
            lambda: Prompt(points=[(WIDTH, 2)]),
            r"points\[0\] is \(90, 2\), wanted a place in the 90 x 60 image",
        ),
        (lambda: Prompt(points=[(1, -0.5)]), r"points\[0\] is \(1, -0.5\), wanted a place"),
        (lambda: Prompt(box=(0, 0, 1, 1), boxes=[(0, 0, 2, 2)]), "box: boxes are given already"),
        (lambda: Prompt(boxes=[(0, 0, 1, 1)], text="dog"), "text: the object is given by a box already"),
        (lambda: Prompt(mask=part("sun"), text="dog"), "text: the object is given by a mask already"),
        (lambda: Prompt(boxes=[(0, 0, 9, 9), (500, 0, 9, 9)]), "box is .*500"),
        (lambda: Prompt(mask=torch.ones(1, 3, 3), points=[(1, 2)]), r"mask has shape \[1, 3, 3\]"),
        (lambda: Prompt(text="unicorn"), "text is 'unicorn', which is not understood"),
    ],
)
def test_wrong_prompts_are_named(make, complaint):
    with pytest.raises(ValueError, match=complaint):
        plain()[0](scene(), make())


def test_guides_say_what_they_take():
    def older(image, prompt=None):
        return Guidance.none(*image.shape[1:])

    assert refused(older, Prompt(points=[(1, 2)])) == "points"
    assert refused(older, Prompt(box=(0, 0, 1, 1))) is None
    assert refused(older, Prompt(text="dog")) == "text"
    assert refused(NoGuide(), Prompt(points=[(1, 2)], text="dog")) is None
    assert refused(Guide(), Prompt(points=[(1, 2)], text="dog")) is None


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, WIDTH - 0.01), st.floats(0, HEIGHT - 0.01), st.booleans()), max_size=6)
)
def test_points_get_what_they_ask_for(points):
    """Whatever is clicked: negative points are free, positive ones are not, if none contradicts another."""
    prompt = Prompt(points=[Point(*each) for each in points])
    guidance = HYPOTHESIS(IMAGE, prompt)
    areas = {positive: {int(LABELS[int(y), int(x)]) for x, y, yes in points if yes is positive}
             for positive in (True, False)}  # fmt: skip
    for x, y, positive in points:
        inside = bool(guidance.mask[0, int(y), int(x)] > 0.5)
        if not positive:
            assert not inside
        elif not areas[True] & areas[False]:
            assert inside
    for each in guidance.instances:
        assert bool((each.mask <= guidance.mask).all())


IMAGE = scene()
HYPOTHESIS = plain()[0]
LABELS = Fill().encode(IMAGE)


def test_words():
    labels = imagenet_labels()
    for word, name in (
        ("dog", "Saint Bernard"), ("dogs", "beagle"), ("Cats", "tabby"), ("bird", "robin"), ("car", "jeep"),
        ("tabby", "tabby"), ("sports cars", "sports car"), ("boats", "canoe"), ("butterflies", "monarch"),
        ("buses", "school bus"), ("a red fox", "red fox"), ("red fox", "red fox"), ("wolves", "timber wolf"),
        ("acoustic guitars", "acoustic guitar"), ("flower", "daisy"), ("foxes", "kit fox"),
    ):  # fmt: skip
        kind, classes = words.understood(word)
        assert kind == "classes"
        assert labels.index(name) in classes, word
    assert labels.index("wolf spider") not in words.understood("wolf")[1]
    assert words.understood("Faces") == ("face", frozenset())
    assert words.understood("people")[0] == "person"
    for word in ("", "12", "unicorn", "x" * 200):
        with pytest.raises(ValueError, match=r"^text is"):
            words.understood(word)
    with pytest.raises(ValueError, match="did you mean 'elephant'"):
        words.understood("elefant")
    for name, ranges in words.GENERAL.items():
        assert all(0 <= low <= high < 1000 for low, high in ranges), name


def test_a_word_chooses_among_what_is_found():
    barn, sun = Instance.from_mask(part("barn")), Instance.from_mask(part("sun"))
    face = Instance.from_mask(part("door"), "face")

    def classifier(x: Tensor) -> Tensor:
        """Anything yellow is a daisy, the rest a barn."""
        logits = torch.zeros(len(x), 1000)
        yellow = x[:, 1].mean((1, 2)) > x[:, 2].mean((1, 2)) + 0.3
        logits[yellow, 985], logits[~yellow, 425] = 20.0, 20.0
        return logits

    chosen = [words.chosen(word, IMAGE, (barn, sun, face), classifier) for word in ("flowers", "barn")]
    assert chosen == [(sun,), (barn,)]
    assert words.chosen("face", IMAGE, (barn, sun, face)) == (face,)
    assert words.chosen("person", IMAGE, (barn, sun, face)) == (barn,)
    with pytest.raises(ValueError, match="text is 'cat', but what is found looks like barn, daisy"):
        words.chosen("cat", IMAGE, (barn, sun, face), classifier)
    with pytest.raises(ValueError, match="no face is found"):
        words.chosen("face", IMAGE, (barn, sun), classifier)


def test_enlarged_guidance_keeps_focus_off_the_objects():
    mask, focus = torch.zeros(1, 8, 8), torch.zeros(1, 8, 8)
    mask[:, 2:5, 2:5], focus[:, 3, 3], focus[:, 7, 7] = 1, 1, 0.5
    larger = look._enlarged(Guidance(mask, focus, (Instance.from_mask(mask),)), 24, 24)
    assert float(larger.focus[0, 10, 10]) > 0.9
    assert float(larger.focus[0, 22:, 22:].max()) == pytest.approx(0.5, abs=0.02)
    assert float(larger.focus[larger.mask <= 0.5][0]) == 0


@pytest.mark.parametrize("scale", [1, 12])  # 12: larger than it is looked at
def test_known_instances_stay_as_they_are_but_for_what_points_change(scale, monkeypatch):
    """Confidence, salience, order and faces of ten instances; the barn loses its door, the car is new."""

    def known(plane: Tensor, kind="object", confidence=0.6, salience=0.4) -> Instance:
        large = plane.repeat_interleave(scale, 1).repeat_interleave(scale, 2)
        return Instance.from_mask(large, kind, confidence, salience)

    faces = [known(part("door"), "face", 0.9), known(part("sun"), "face", 0.8)]
    dots = []
    for n in range(8):
        dot = torch.zeros(1, HEIGHT, WIDTH)
        dot[:, 54:57, 4 * n : 4 * n + 3] = 1
        dots.append(known(dot, confidence=0.5 + 0.05 * n))
    kept = (*dots, known(part("sun")), known(part("barn")), *faces)
    new = Instance.from_mask(kept[0].mask * 0 + known(part("car")).mask, "face", 0.7)
    monkeypatch.setattr(Seeing, "faced", lambda self, image, guidance, *more: Guidance(
        guidance.mask, guidance.focus, (*guidance.instances, faces[1], new)))  # fmt: skip
    clicks = (middle("car"), True), (middle("door"), False)
    at = [Point(scale * x, scale * y, wanted) for (x, y), wanted in clicks]
    answer = Seeing()(scene(scale), Prompt(instances=kept, points=at))
    told = [(each.kind, each.confidence, each.salience) for each in answer.instances]
    assert told == [*((e.kind, e.confidence, e.salience) for e in kept[:10]), ("object", 1, 1),
                    ("face", 0.8, 0.4), ("face", 0.7, 1)]  # fmt: skip
    wanted = [*(each.mask for each in kept[:9]), known(part("barn", without="door")).mask, new.mask,
              faces[1].mask, new.mask]  # fmt: skip
    for each, plane in zip(answer.instances, wanted, strict=True):
        assert float((each.mask - plane).abs().mean()) < 1e-3
    with pytest.raises(ValueError, match="instances: the objects are given otherwise already"):
        Prompt(instances=kept, text="dog")


def test_a_word_that_is_not_understood_is_refused_before_anything_is_looked_at():
    guide, _ = plain()
    with pytest.raises(ValueError, match="did you mean 'dog'"):
        guide(scene(), Prompt(text="dogz"))
    with pytest.raises(ValueError, match="did you mean 'dog'"):
        guide(scene(), Prompt(text="my old dog"))
    assert guide.looks == 0


@pytest.mark.parametrize(("count", "seen"), [(0, "nothing"), (1, "a thing without"), (2, "2 things without")])
def test_what_is_found_instead_of_a_person_is_said(count, seen):
    things = [Instance.from_mask(part("car"))] * count
    with pytest.raises(ValueError, match=f"what is found looks like {seen}"):
        words.chosen("person", scene(), things)


def test_what_a_positive_point_asks_for_stays_whatever_else_is_taken_away():
    """The door was added to the barn, of which all else is taken away; and a place in the barn is wanted."""
    guide, _ = plain()
    wall = part("barn", without="door")
    points = [Point(*middle("door")), Point(*BARN_AT, False)]
    assert same(guide(scene(), Prompt(mask=wall, points=points)), part("door"))
    wall[:, 20:24, 64:68] = 1  # a remnant of what the mask had beside the barn
    assert same(guide(scene(), Prompt(mask=wall, points=points)), part("door"))
    points = [Point(50.0, 46.0), Point(*BARN_AT, False)]
    wall = part("barn", without="door")
    (left,) = masks(guide(scene(), Prompt(mask=wall, points=points)))
    assert left[0, 46, 50] == 1
    assert left[0, 24, 34] == 0
    assert float(left.sum()) > 0.9 * float(wall.sum())


def test_pictures_of_double_precision_are_seen_as_single_ones_are():
    """By every way to ask, with focus, whose classifier is of single precision."""
    image, barn = scene().double(), part("barn").double()
    x, y, w, h = PARTS["sun"]
    asked = [
        None,
        Prompt(mask=barn),
        Prompt(box=(x - 1.0, y - 1.0, w + 2.0, h + 2.0)),
        Prompt(points=[BARN_AT]),
    ]
    for prompt in asked:
        guidance = Seeing(focus=True)(image, prompt)
        assert guidance.instances
        assert guidance.mask.dtype == guidance.focus.dtype == torch.float32
