"""Mixtures of paints: against a formula worked by hand, others' measurements, and what painters know."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import deltaE_ciede2000, lab2lch, rgb2lab, xyz2lab

from semantic_guidance import Guidance, Painter
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.images.color import most_alike
from semantic_guidance.images.spectrum import BANDS, DAYLIGHT, OBSERVER, WAVELENGTHS, to_srgb, to_xyz
from semantic_guidance.painting.medium import Medium
from semantic_guidance.painting.painting import Layer, Painting
from semantic_guidance.painting.pigments import MOST_PARTS, PARTS, Tube, Tubes, read_tubes

SHIPPED = read_tubes()
NAMES = [tube.name for tube in SHIPPED.tubes]

MEASURED = {
    "Titanium White": (98.1, -1.0, 2.1),
    "Diarylide Yellow": (74.5, 29.6, 99.0),
    "Yellow Ochre": (56.6, 16.3, 49.3),
    "Cadmium Red Light": (48.8, 67.0, 58.5),
    "Burnt Sienna": (32.2, 19.1, 16.7),
    "Burnt Umber": (24.8, 4.1, 5.1),
    "Bone Black": (13.7, -0.2, -0.2),
}
"""CIELAB (D65, 2 degrees) of dried masstones of the same paints that others measured: of the spectra of
Golden Heavy Body in painting_tools, https://github.com/rubenwiersma/painting_tools. Ultramarine is not here:
as it is nearly black, batches and surfaces differ by 10.
"""


def parts(**counts: int) -> np.ndarray:
    """Parts ``[1, T]`` by the names of tubes, with _ for spaces."""
    found = np.zeros((1, len(NAMES)), int)
    for name, count in counts.items():
        (place,) = (n for n, each in enumerate(NAMES) if each.startswith(name.replace("_", " ")))
        found[0, place] = count
    return found


def lab(**counts: int) -> np.ndarray:
    return rgb2lab(SHIPPED.colors(parts(**counts))[None])[0, 0]


class TestSpectra:
    """Colours of reflected light."""

    def test_the_observer_is_the_cie_s(self):
        """D65 has x = .3127, y = .3290; the eye is most sensitive at 555 nm and sees little beyond."""
        white = (OBSERVER * DAYLIGHT[:, None]).sum(axis=0)
        assert (white / white.sum())[:2] == pytest.approx([0.3127, 0.3290], abs=2e-4)
        assert WAVELENGTHS[OBSERVER[:, 1].argmax()] in (550, 560)
        assert OBSERVER[[0, -1]].max() < 0.01

    def test_white_and_grey(self):
        assert to_srgb(np.ones((1, BANDS)))[0] == pytest.approx([1, 1, 1], abs=2e-3)
        assert to_xyz(np.full((1, BANDS), 0.18))[0] == pytest.approx([0.18 * 0.95047, 0.18, 0.18 * 1.08883])
        assert to_srgb(np.full((1, BANDS), 0.18))[0] == pytest.approx([0.461] * 3, abs=2e-3)


class TestMixing:
    """Kubelka and Munk."""

    def test_one_band_by_hand(self):
        """Two parts of K = .6, S = .9 and one of K = .3, S = 1.2: K/S = 1.5 / 3, so R = 1.5 - sqrt(1.25)."""
        one = Tube("one", "", (0.6,) * BANDS, (0.9,) * BANDS)
        other = Tube("other", "", (0.3,) * BANDS, (1.2,) * BANDS)
        within = 1.5 - math.sqrt(1.25)
        assert Tubes((one, other), 0, 0).seen(np.array([[2, 1]]))[0, 7] == pytest.approx(within)
        seen = 0.97 * 0.35 * within / (1 - 0.65 * within)
        assert Tubes((one, other), 0.03, 0.65).seen(np.array([[2, 1]]))[0, 7] == pytest.approx(seen)

    @given(st.lists(st.integers(0, 9), min_size=12, max_size=12).filter(any), st.permutations(range(12)))
    @settings(max_examples=30, deadline=None)
    def test_order_and_amount_do_not_matter(self, counts, order):
        given = np.array([counts])
        shuffled = replace(SHIPPED, tubes=tuple(SHIPPED.tubes[n] for n in order))
        color = SHIPPED.colors(given)
        assert shuffled.colors(given[:, order]) == pytest.approx(color, abs=1e-9)
        assert SHIPPED.colors(3 * given) == pytest.approx(color, abs=1e-9)

    def test_a_paint_with_itself_is_itself(self):
        for tube in SHIPPED.tubes:
            twice = replace(SHIPPED, tubes=(tube, replace(tube, name="again")))
            assert twice.colors(np.array([[1, 0], [2, 3]])) == pytest.approx(
                np.tile(twice.colors(np.array([[0, 1]])), (2, 1))
            )

    def test_blue_and_yellow_give_green(self):
        """A hue between 110 and 190 degrees, and more chroma than the mean of the two has in sRGB."""
        for blue in ("Phthalo_Blue", "Ultramarine"):
            _, chroma, hue = lab2lch(lab(Bismuth=6, Titanium=2, **{blue: 1}))
            assert 110 < math.degrees(hue) < 190
            assert chroma > 15
        _, _, hue = lab2lch(lab(Bismuth=1, Cadmium=1))
        assert 35 < math.degrees(hue) < 90  # orange

    def test_white_and_black_give_greys(self):
        greys = np.array([lab(Titanium=white, Bone=1) for white in (1, 2, 4, 8, 16, 32)])
        assert (np.diff(greys[:, 0]) > 3).all()
        assert 45 < greys[0, 0] < 65  # bone black is weak: other blacks would be darker
        assert np.hypot(*greys[:, 1:].T).max() < 8  # bone black's tints are a little blue

    @pytest.mark.parametrize("name", MEASURED)
    def test_masstones_are_those_that_others_measured(self, name):
        """Within 2.2, with the gloss or without: it depends on how a paint dries."""
        place = np.eye(len(NAMES), dtype=int)[[NAMES.index(name)]]
        plain = SHIPPED.seen(place)
        apart = [
            float(deltaE_ciede2000(xyz2lab(to_xyz(plain + gloss))[0], np.array(MEASURED[name])))
            for gloss in (0, SHIPPED.outside / 2, SHIPPED.outside)
        ]
        assert min(apart) < 2.2


class TestMixtures:
    """What can be mixed of the tubes that ship."""

    mixtures = SHIPPED.mixtures

    def test_a_person_can_measure_them(self):
        counts = self.mixtures.parts
        used = (counts > 0).sum(axis=1)
        assert set(used.tolist()) == {1, 2, 3}
        assert set(counts[counts > 0].tolist()) <= set(PARTS)
        assert counts.sum(axis=1).max() <= MOST_PARTS
        assert (np.gcd.reduce(counts, axis=1) == 1).all()
        assert len(np.unique(counts, axis=0)) == len(counts)
        assert self.mixtures.colors == pytest.approx(SHIPPED.colors(counts), abs=1e-6)

    def test_the_simplest_are_kept(self):
        """Each masstone, as no other mixture is simpler."""
        assert (self.mixtures.parts.sum(axis=1) == 1).sum() == len(NAMES)

    def test_colours_within_their_reach_are_met(self):
        """Mixtures of four tubes and any parts: half of CIEDE2000 is under 1.5, nearly all under 4."""
        rng = np.random.default_rng(0)
        counts = np.zeros((300, len(NAMES)))
        for row in counts:
            row[rng.choice(len(NAMES), 3, replace=False)] = rng.random(3) ** 3
        counts[:, 0] += 0.5
        wanted = SHIPPED.colors(counts)
        found = self.mixtures.colors[self.mixtures.nearest(wanted)]
        apart = deltaE_ciede2000(rgb2lab(wanted[None])[0], rgb2lab(found[None])[0])
        assert np.median(apart) < 1.5
        assert np.percentile(apart, 95) < 4

    def test_lookup_of_tensors_is_the_same(self):
        colors = np.random.default_rng(1).random((200, 3)).astype(np.float32)
        found = most_alike(torch.from_numpy(colors), torch.from_numpy(self.mixtures.colors)).numpy()
        wanted = self.mixtures.nearest(colors)
        assert (found == wanted).mean() > 0.98  # but for ties within float32
        assert np.abs(self.mixtures.colors[found] - self.mixtures.colors[wanted]).max() < 0.05

    def test_recipes_name_their_tubes(self):
        place = int(np.flatnonzero((self.mixtures.parts == parts(Titanium=4, Bone=1)).all(axis=1))[0])
        recipe = self.mixtures.recipe(place)
        assert [(tube.name, tube.index, count) for tube, count in recipe] == [
            ("Titanium White", "PW6", 4),
            ("Bone Black", "PBk9", 1),
        ]


class TestFiles:
    """Tubes from TOML files."""

    def test_some_that_ship_and_one_of_one_s_own(self, tmp_path):
        path = tmp_path / "mine.toml"
        numbers = f"absorption = {[0.5] * BANDS}\nscattering = {[0.25] * BANDS}\n"
        path.write_text(f'tubes = ["bone black", "Titanium White"]\n[[tube]]\nname = "Mud"\n{numbers}')
        tubes = read_tubes(path)
        assert [tube.name for tube in tubes.tubes] == ["Bone Black", "Titanium White", "Mud"]
        assert tubes.tubes[0] in SHIPPED.tubes
        assert (tubes.outside, tubes.inside) == (SHIPPED.outside, SHIPPED.inside)
        assert tubes.tubes[2].absorption == (0.5,) * BANDS

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("", "there are 0 tubes in it, wanted 1 to 24"),
            ('tubes = ["Bone Black", "Bone Black"]', "none twice"),
            (
                'tubes = ["Blone Back"]',
                "'Blone Back' is not a tube that ships, wanted one of Titanium White,",
            ),
            ("tubes = 3", "tubes is '3', wanted a list of names"),
            ("tube = 3", r"wanted \[\[tube\]\] before each"),
            ("[[tube]]\nindex = 'PB29'", "name of a tube is 'None', wanted up to 60 letters"),
            (
                "[[tube]]\nname = 'Mud'",
                "absorption of 'Mud' is missing or of another length, wanted 38 numbers",
            ),
            (f"[[tube]]\nname = 'Mud'\nabsorption = {[-1] * 38}", "holds '-1', wanted numbers from 0 to"),
            ("tubes = [", "not TOML"),
            ("tubes = ['Bone Black']\n[surface]\ninside = 2", "inside of surface holds '2', wanted numbers"),
        ],
    )
    def test_what_is_wrong_is_named(self, text, complaint, tmp_path):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        with pytest.raises(InputError, match=complaint) as raised:
            read_tubes(path)
        assert str(raised.value).startswith(str(path))

    def test_no_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no such file, wanted a TOML file of tubes"):
            read_tubes(tmp_path / "none.toml")
        with pytest.raises(IsADirectoryError, match="wanted a TOML file of tubes"):
            read_tubes(tmp_path)

    @given(
        st.dictionaries(
            st.sampled_from(["tubes", "tube", "surface"]),
            st.sampled_from(
                ["1", "'x'", "[]", "[1]", "['Bone Black']", "{}", "{inside=1}", "[{}]", "[{name=1}]", "nan"]
            ),
        ),
        st.binary(max_size=8),
    )
    @settings(max_examples=60, deadline=None)
    def test_any_file_is_read_or_refused(self, fields, junk):
        text = "\n".join(f"{name} = {value}" for name, value in fields.items()).encode()
        path = Path("/tmp") / f"tubes_{hash((text, junk)) & 0xFFFFFFFF}.toml"
        path.write_bytes(text + b"\n#" + junk)
        with contextlib.suppress(InputError):
            assert len(read_tubes(path).tubes) == 1
        path.unlink()


def blocks() -> torch.Tensor:
    """A picture of 6 x 9 blocks of any colours, 48 x 72."""
    colors = torch.rand(3, 6, 9, generator=torch.Generator().manual_seed(0))
    return colors.repeat_interleave(8, dim=1).repeat_interleave(8, dim=2)


class TestPaintings:
    """What is painted of mixtures."""

    def painted(self, medium: Medium, preset: str) -> Painting:
        picture = blocks()
        painter = Painter("planner", preset, strokes=40, size=72, medium=medium)
        return painter.paint(picture, Guidance.none(*picture.shape[1:]))

    @pytest.mark.parametrize("preset", ["draft", "standard"])
    def test_all_strokes_are_mixtures(self, preset):
        painting = self.painted(Medium(tubes=SHIPPED, opaque=True), preset)
        mixed = {tuple(color) for color in SHIPPED.mixtures.colors.tolist()}
        colors = [tuple(color) for color in painting.strokes.color[0].tolist()]
        assert set(colors) <= mixed
        assert len(set(colors)) > 10
        assert painting.tubes is SHIPPED
        assert Painting.of(painting.drawing).tubes is SHIPPED

    def test_a_palette_of_mixtures(self):
        painting = self.painted(Medium(tubes=SHIPPED, palette=5, opaque=True), "draft")
        colors = {tuple(color) for color in painting.strokes.color[0].tolist()}
        assert 2 <= len(colors) <= 5
        assert colors <= {tuple(color) for color in SHIPPED.mixtures.colors.tolist()}
        given = Medium(tubes=SHIPPED, palette=[(1.0, 1.0, 1.0)]).tools(blocks(), blocks()[0], 48, 72)
        assert given.colors.shape == (1, 3)
        assert given.colors[0].tolist() == pytest.approx(SHIPPED.colors(parts(Titanium=1))[0], abs=0.02)


def test_bare_canvas_counts_where_the_picture_is_of_another_colour():
    """A stroke of half the height across all of it; the left half of the picture is white as the canvas."""
    line = torch.tensor([[0.0, 0.25, 0.5, 0.25, 1.0, 0.25, 0.125, 0.125, 1, 1, 0, 0, 0]])
    strokes = Strokes.unpack(line[None])
    photo = torch.ones(3, 50, 100)
    photo[:, :, 50:] = 0.3
    painting = Painting((Layer(strokes),), (1.0, 1.0, 1.0), 200, 100)
    assert painting.drawing.bare_share() == pytest.approx(0.5, abs=0.01)
    assert replace(painting, photo=photo).drawing.bare_share() == pytest.approx(0.25, abs=0.01)
    assert replace(painting, photo=torch.ones(3, 5, 10)).drawing.bare_share() == 0
