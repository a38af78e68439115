"""`preprocess` on a small CUB-200-2011: files as the reference code reads them."""

import re

import cv2
import numpy as np
import pytest
from PIL import Image

from semantic_guidance.apps.cli.main import main
from semantic_guidance.learning.data import preprocess
from semantic_guidance.learning.data.cub200 import CUB200

pytestmark = pytest.mark.usefixtures("looks_once")


def ball(seed, height=120, width=160):
    """A bright ball on a plain, slightly noisy ground, and its mask."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    cy, cx, radius = rng.uniform(45, 75), rng.uniform(60, 100), rng.uniform(25, 35)
    mask = np.hypot(y - cy, x - cx) < radius
    shade = np.clip(1.2 - np.hypot(y - cy + 10, x - cx + 10) / (2 * radius), 0.2, 1)
    image = np.where(mask[..., None], np.array([255, 140, 20]) * shade[..., None], [110, 125, 140])
    image = image + rng.normal(0, 3, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8), mask


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "cub200" / "CUB_200_2011"
    names = [f"00{k}.Kind_{k}/Kind_{k}_{i:04d}.jpg" for k in (1, 2) for i in (1, 2)]
    for seed, name in enumerate(names):
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(ball(seed)[0]).save(path, quality=95)
    (root / "images.txt").write_text("".join(f"{i} {n}\n" for i, n in enumerate(names, 1)))
    return tmp_path


def run(data, *more) -> int:
    return main(["preprocess", "--dataset", "cub200", "--data", str(data), *more])


def check(data):
    """Read the results the way the paper's code does, and compare with the truth."""
    root = data / "cub200" / "CUB_200_2011"
    header, *rows = (root / "bounding_boxes_pred.txt").read_text().splitlines()
    assert header == " x y w h"
    names = [line.split()[1] for line in (root / "images.txt").read_text().splitlines()]
    for index, (row, name) in enumerate(zip(rows, names, strict=True)):
        number, x, y, w, h = (int(cell) for cell in row.split(" "))
        assert number == index
        truth = ball(index)[1]
        ys, xs = np.nonzero(truth)
        np.testing.assert_allclose(
            (x, y, x + w, y + h), (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1), atol=4
        )
        mask = np.asarray(Image.open(root / "segmentations_pred" / name))
        focus = np.asarray(Image.open(root / "gbp_global" / name))
        assert mask.dtype == focus.dtype == np.uint8
        assert mask.shape == focus.shape == truth.shape
        found = mask > 127
        assert (found & truth).sum() / (found | truth).sum() > 0.9
        assert focus[~found].mean() < 3  # JPEG rings
        assert focus.max() > 150


def test_writes_what_the_seed_reads(data, capsys):
    assert run(data, "--workers", "1") == 0
    check(data)
    assert "4 of 4 pictures done, 0 skipped" in capsys.readouterr().err
    guidance = CUB200(data, "predicted")[2].guidance
    assert len(guidance.instances) == 1
    assert not list(data.rglob("*.part"))


def test_several_workers_agree_with_one(data, monkeypatch):
    """And run nothing that came with the data."""
    monkeypatch.chdir(data)
    for name in ("multiprocessing.py", "numpy.py"):
        (data / name).write_text("open('ran', 'w')\nraise SystemExit(3)\n")
    few = data / "cub200" / "CUB_200_2011" / "images.txt"
    few.write_text("".join(few.read_text().splitlines(True)[:3]))  # and so more than workers
    assert run(data, "--workers", "2") == 0
    check(data)
    assert not (data / "ran").exists()


def test_resumes(data, monkeypatch):
    assert run(data, "--workers", "1") == 0
    root = data / "cub200" / "CUB_200_2011"
    boxes = (root / "bounding_boxes_pred.txt").read_bytes()
    gone = sorted((root / "segmentations_pred").rglob("*.jpg"))[1]
    gone.unlink()
    done = []
    process = preprocess.process
    monkeypatch.setattr(preprocess, "process", lambda job: done.append(job.mask) or process(job))
    assert run(data, "--workers", "1") == 0
    assert done == [gone]
    assert (root / "bounding_boxes_pred.txt").read_bytes() == boxes
    run(data, "--workers", "1", "--overwrite")
    assert len(done) == 5


def test_unreadable_picture_is_skipped(data, capsys):
    root = data / "cub200" / "CUB_200_2011"
    bad = root / "images" / "001.Kind_1" / "Kind_1_0002.jpg"
    bad.write_bytes(bad.read_bytes()[:300])
    assert run(data, "--workers", "1") == 1
    err = capsys.readouterr().err
    assert "Kind_1_0002.jpg" in err
    assert "3 of 4 pictures done, 1 skipped" in err
    assert (root / "bounding_boxes_pred.txt").read_text().splitlines()[2] == "1 0 0 0 0"
    assert len(CUB200(data, "predicted")) == 3


@pytest.mark.parametrize("share", [1, 4])
def test_pictures_that_are_links_to_elsewhere_are_skipped(data, capsys, share):
    root = only_the_first(data) if share == 1 else data / "cub200" / "CUB_200_2011"
    linked = root / "images" / "001.Kind_1" / "Kind_1_0001.jpg"
    linked.rename(data / "elsewhere.jpg")
    linked.symlink_to(data / "elsewhere.jpg")
    for _ in range(2):
        assert run(data, "--workers", "1") == 1
        err = capsys.readouterr().err
        assert f"skipped: {root / 'images.txt'}: the name '001.Kind_1/Kind_1_0001.jpg' leads out" in err
        assert f"wanted a file in {root / 'images'}; copy it there, or link the whole folder" in err
        assert f"{share - 1} of {share} pictures done, 1 skipped" in err
    assert (root / "bounding_boxes_pred.txt").read_text().splitlines()[1] == "0 0 0 0 0"
    assert len(list((root / "segmentations_pred").rglob("*.jpg"))) == share - 1
    assert len(CUB200(data)) == share


def test_picture_without_object_gets_the_whole_frame(data):
    root = data / "cub200" / "CUB_200_2011"
    plain = np.random.default_rng(0).normal(128, 3, (90, 70, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(plain).save(root / "images" / "002.Kind_2" / "Kind_2_0002.jpg")
    assert run(data, "--workers", "1") == 0
    assert (root / "bounding_boxes_pred.txt").read_text().splitlines()[4] == "3 0 0 70 90"
    assert CUB200(data, "predicted")[3].guidance.instances == ()


def test_mistakes_are_named(data, tmp_path, capsys):
    assert run(tmp_path / "nowhere") == 2
    assert "images.txt is missing" in capsys.readouterr().err
    assert run(data, "--workers", "0") == 2
    assert "--workers: got '0', wanted a whole number from 1 to 1024" in capsys.readouterr().err


def test_unwritable_folder_is_named(data, capsys):
    root = data / "cub200" / "CUB_200_2011"
    (root / "gbp_global").write_text("a file where a folder should be")
    assert run(data, "--workers", "1") == 2
    assert re.search("gbp_global.* cannot be written", capsys.readouterr().err)
    assert (root / "gbp_global").read_text() == "a file where a folder should be"


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "x.txt"
    target.write_text("old")

    def fail(self, data):
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr("pathlib.Path.write_bytes", fail)
    with pytest.raises(OSError, match="No space"):
        preprocess.write_whole(target, b"new")
    monkeypatch.undo()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def only_the_first(data):
    """The data set's folder, with one picture in its list."""
    root = data / "cub200" / "CUB_200_2011"
    (root / "images.txt").write_text((root / "images.txt").read_text().splitlines()[0] + "\n")
    return root


def holiday_of(data):
    """A photograph of the user's, outside the data set."""
    path = data / "holiday.jpg"
    Image.fromarray(ball(9)[0]).save(path)
    return path


@pytest.mark.parametrize("absolute", [False, True])
def test_a_list_cannot_have_a_photograph_replaced(data, capsys, absolute):
    root = data / "cub200" / "CUB_200_2011"
    holiday = holiday_of(data)
    before = holiday.read_bytes()
    name = str(holiday) if absolute else "../../../holiday.jpg"
    (root / "images.txt").write_text(f"1 {name}\n")
    assert run(data, "--workers", "1") == 2
    assert "images.txt line 1: the name" in capsys.readouterr().err
    assert holiday.read_bytes() == before
    assert not (root / "bounding_boxes_pred.txt").exists()


@pytest.mark.parametrize("what", ["segmentations_pred", "gbp_global", "gbp_global/001.Kind_1"])
def test_results_are_not_written_through_links(data, capsys, what):
    root = data / "cub200" / "CUB_200_2011"
    outside = data / "photographs"
    outside.mkdir()
    (root / what).parent.mkdir(exist_ok=True)
    (root / what).symlink_to(outside)
    assert run(data, "--workers", "1") == 2
    assert "is behind a link, wanted a folder of its own in" in (err := capsys.readouterr().err)
    assert "remove the link" in err
    assert not list(outside.iterdir())


def with_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "a camera's maker"
    return exif


OTHERS = {
    "in colour": ("RGB", (160, 120), {}),
    "of another size": ("L", (161, 120), {}),
    "from a camera": ("L", (160, 120), {"exif": with_exif()}),
    "with a comment": ("L", (160, 120), {"comment": b"mine"}),
    "with a profile": ("L", (160, 120), {"icc_profile": b"profile"}),
    "no picture": None,
}


@pytest.mark.parametrize("other", OTHERS)
def test_files_that_are_no_masks_stay(data, capsys, other):
    root = only_the_first(data)
    place = root / "segmentations_pred" / "001.Kind_1" / "Kind_1_0001.jpg"
    place.parent.mkdir(parents=True)
    if OTHERS[other] is None:
        place.write_text("notes")
    else:
        mode, size, options = OTHERS[other]
        Image.new(mode, size).save(place, **options)
    before = place.read_bytes()
    for more in ((), ("--overwrite",)):
        assert run(data, "--workers", "1", *more) == 1
        assert "none of the preprocessing: it stays, wanted another name for it" in capsys.readouterr().err
        assert place.read_bytes() == before


def test_masks_of_earlier_versions_are_made_anew_if_asked(data):
    root = only_the_first(data)
    for folder in ("segmentations_pred", "gbp_global"):
        place = root / folder / "001.Kind_1" / "Kind_1_0001.jpg"
        place.parent.mkdir(parents=True)
        cv2.imwrite(str(place), np.zeros((120, 160), np.uint8))
    assert run(data, "--workers", "1", "--overwrite") == 0
    check(data)


def test_masks_are_known_by_their_mark_whatever_became_of_the_photograph(data):
    root = only_the_first(data)
    assert run(data, "--workers", "1") == 0
    for folder in ("segmentations_pred", "gbp_global"):
        with Image.open(root / folder / "001.Kind_1" / "Kind_1_0001.jpg") as image:
            assert image.info["comment"] == b"semantic-guidance preprocess"
    Image.fromarray(ball(0, 130, 170)[0]).save(root / "images" / "001.Kind_1" / "Kind_1_0001.jpg")
    assert run(data, "--workers", "1", "--overwrite") == 0
    with Image.open(root / "segmentations_pred" / "001.Kind_1" / "Kind_1_0001.jpg") as image:
        assert image.size == (170, 130)


def test_a_list_of_boxes_that_is_something_else_stays(data, capsys):
    path = data / "cub200" / "CUB_200_2011" / "bounding_boxes_pred.txt"
    path.write_text("my notes\n")
    assert run(data, "--workers", "1") == 2
    assert "bounding_boxes_pred.txt is no list of boxes of the preprocessing" in capsys.readouterr().err
    assert path.read_text() == "my notes\n"
    assert not (path.parent / "segmentations_pred").exists()


def test_photographs_are_never_their_own_masks(data, capsys):
    root = data / "cub200" / "CUB_200_2011"
    (root / "images").rename(root / "segmentations_pred")
    (root / "images").symlink_to(root / "segmentations_pred")
    assert run(data, "--workers", "1") == 2
    assert "is among the results of the preprocessing" in capsys.readouterr().err


def test_two_pictures_may_not_have_one_mask(data, capsys):
    root = data / "cub200" / "CUB_200_2011"
    (root / "images.txt").write_text("1 a/x.jpg\n2 a/x.png\n")
    assert run(data, "--workers", "1") == 2
    assert "'a/x.jpg' and 'a/x.png' have one mask" in capsys.readouterr().err


def test_names_are_told_without_what_a_terminal_obeys(data, capsys):
    root = data / "cub200" / "CUB_200_2011"
    (root / "images.txt").write_text("1 a\u202egpj.exe\n", encoding="utf-8")
    (root / "images").mkdir(exist_ok=True)
    (root / "images" / "a\u202egpj.exe").write_text("no picture")
    assert run(data, "--workers", "1") == 1
    err = capsys.readouterr().err
    assert r"a\u202egpj.exe" in err
    assert "\u202e" not in err
