"""Datasets on tiny fixtures in their real formats."""

import numpy as np
import pytest
import torch
from PIL import Image

from semantic_guidance.learning.data.cars196 import Cars196
from semantic_guidance.learning.data.cub200 import CUB200
from semantic_guidance.learning.data.folder import PictureFolder
from semantic_guidance.learning.data.virtual_kitti import VirtualKITTI


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def bird(height=40, width=60, box=(20, 10, 25, 15)):
    """A grey picture with a bright rectangle, and its mask."""
    image = np.full((height, width, 3), 90, np.uint8)
    x, y, w, h = box
    image[y : y + h, x : x + w] = (250, 180, 20)
    mask = np.zeros((height, width), np.uint8)
    mask[y : y + h, x : x + w] = 255
    return image, mask


CUB_NAMES = (
    "001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg",
    "002.Laysan_Albatross/Laysan_Albatross_0002_1027.jpg",
)


@pytest.fixture
def cub(tmp_path):
    root = tmp_path / "cub200" / "CUB_200_2011"
    for name in CUB_NAMES:
        image, mask = bird()
        save(root / "images" / name, image)
        save(root.parent / "segmentations" / name.replace(".jpg", ".png"), mask)
    (root / "images.txt").write_text("".join(f"{i} {name}\n" for i, name in enumerate(CUB_NAMES, 1)))
    (root / "bounding_boxes.txt").write_text("1 20.0 10.0 25.0 15.0\n2 20.0 10.0 25.0 15.0\n")
    return tmp_path


def predict(data, boxes=" x y w h\n0 20 10 25 15\n1 20 10 25 15\n"):
    """What the reference code's preprocessing leaves behind."""
    root = data / "cub200" / "CUB_200_2011"
    for name in CUB_NAMES:
        _, mask = bird()
        save(root / "segmentations_pred" / name, mask)
        save(root / "gbp_global" / name, (mask * 0.7).astype(np.uint8))
    (root / "bounding_boxes_pred.txt").write_text(boxes)
    return root


def test_cub_without_guidance(cub):
    data = CUB200(cub)
    example = data[1]
    assert len(data) == 2
    assert example.image.shape == (3, 40, 60)
    assert example.guidance is None
    assert example.name == CUB_NAMES[1]
    assert example.label == "002.Laysan_Albatross"
    assert len(CUB200(cub / "cub200" / "CUB_200_2011")) == 2


def test_cub_real_annotations(cub):
    guidance = CUB200(cub, "real")[0].guidance
    assert guidance.boxes == ((20.0, 10.0, 25.0, 15.0),)
    assert torch.equal(guidance.mask[0] > 0.5, torch.from_numpy(bird()[1] > 0))
    box = CUB200(cub, "box")[0].guidance
    assert torch.equal(box.mask, guidance.mask)


def test_cub_preprocessed_by_the_seed(cub):
    predict(cub)
    guidance = CUB200(cub, "predicted")[0].guidance
    truth = torch.from_numpy(bird()[1] > 0)
    assert torch.equal(guidance.mask[0] > 0.5, truth)
    assert guidance.boxes == ((20.0, 10.0, 25.0, 15.0),)
    assert float(guidance.focus[0][truth].mean()) == pytest.approx(0.7, abs=0.02)
    assert float(guidance.focus[0][~truth].abs().max()) == 0


def test_cub_leaves_out_what_preprocessing_skipped(cub):
    predict(cub, " x y w h\n0 0 0 0 0\n1 20 10 25 15\n")
    data = CUB200(cub, "predicted")
    assert [example.name for example in (data[i] for i in range(len(data)))] == [CUB_NAMES[1]]


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ("x1 y1\n", "begins with"),
        (" x y w h\n0 1 2 3 4\n", "has 1 rows, wanted 2"),
        (" x y w h\n0 1 2 3\n1 1 2 3 4\n", "line 2"),
        ("", "cannot be read"),
    ],
)
def test_cub_malformed_boxes_are_named(cub, boxes, message):
    predict(cub, boxes)
    with pytest.raises(ValueError, match=rf"bounding_boxes_pred\.txt.*{message}"):
        CUB200(cub, "predicted")


def test_cub_missing_files_are_named(cub, tmp_path):
    with pytest.raises(ValueError, match=r"images\.txt is missing"):
        CUB200(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="segmentations_pred is not a folder"):
        CUB200(cub, "predicted")
    with pytest.raises(ValueError, match="guidance is 'all'"):
        CUB200(cub, "all")
    root = predict(cub)
    (root / "segmentations_pred" / CUB_NAMES[0]).write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"0046_18\.jpg: not a picture that can be read"):
        CUB200(cub, "predicted")[0]
    save(root / "segmentations_pred" / CUB_NAMES[0], np.zeros((5, 5), np.uint8))
    with pytest.raises(ValueError, match="is 5 x 5, wanted 60 x 40"):
        CUB200(cub, "predicted")[0]
    (root / "images.txt").write_text("one two three\n")
    with pytest.raises(ValueError, match=r"images\.txt line 1"):
        CUB200(cub)


def cars_annotations(path, names, with_class=True, box=(21, 11, 45, 25)):
    """A struct array as in the Cars-196 devkit."""
    from scipy.io import savemat

    fields = ["bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", *(["class"] if with_class else []), "fname"]
    records = np.zeros((1, len(names)), dtype=[(field, object) for field in fields])
    for i, name in enumerate(names):
        values = [*box, *([2] if with_class else []), name]
        for field, value in zip(fields, values, strict=True):
            records[0, i][field] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"annotations": records})


@pytest.fixture
def cars(tmp_path):
    from scipy.io import savemat

    for split, names in (("train", ["00001.jpg", "00002.jpg"]), ("test", ["00001.jpg"])):
        for name in names:
            save(tmp_path / f"cars_{split}" / name, bird()[0])
        cars_annotations(tmp_path / "devkit" / f"cars_{split}_annos.mat", names, split == "train")
    names = np.array(["AM General Hummer SUV 2000", "Acura RL Sedan 2012"], dtype=object)[None]
    savemat(tmp_path / "devkit" / "cars_meta.mat", {"class_names": names})
    return tmp_path


def test_cars(cars):
    data = Cars196(cars)
    example = data[0]
    assert len(data) == 2
    assert example.label == "Acura RL Sedan 2012"
    assert example.guidance is None
    assert example.box == (20.0, 10.0, 25.0, 15.0)
    guidance = Cars196(cars, guidance="box")[0].guidance
    assert guidance.boxes == (example.box,)
    assert torch.equal(guidance.mask[0] > 0, torch.from_numpy(bird()[1] > 0))


def test_cars_test_split_has_one_unlabelled_record(cars):
    data = Cars196(cars, "test")
    assert len(data) == 1
    assert data[0].label is None


def test_cars_missing_or_malformed_is_named(cars):
    from scipy.io import savemat

    with pytest.raises(ValueError, match="split is 'val'"):
        Cars196(cars, "val")
    path = cars / "devkit" / "cars_train_annos.mat"
    savemat(path, {"annotations": np.array([1.0, 2.0])})
    with pytest.raises(ValueError, match=r"cars_train_annos\.mat is malformed"):
        Cars196(cars)
    path.write_bytes(b"no matlab file at all, just text" * 10)
    with pytest.raises(ValueError, match=r"cars_train_annos\.mat cannot be read"):
        Cars196(cars)
    path.unlink()
    with pytest.raises(ValueError, match=r"cars_train_annos\.mat cannot be read"):
        Cars196(cars)
    with pytest.raises(ValueError, match="is not a folder"):
        Cars196(cars / "nowhere")


def two_cars():
    ids = np.zeros((40, 60), np.uint8)
    ids[5:25, 5:35] = 1
    ids[20:30, 40:50] = 7
    return ids


def check_two_cars(example):
    assert example.guidance.boxes == ((5, 5, 30, 20), (40, 20, 10, 10))
    assert torch.equal(example.guidance.mask[0] > 0, torch.from_numpy(two_cars() > 0))


def test_virtual_kitti_2(tmp_path):
    frames = tmp_path / "Scene01" / "clone" / "frames"
    for number in range(2):
        save(frames / "rgb" / "Camera_0" / f"rgb_{number:05d}.jpg", bird()[0])
        palette = Image.fromarray(two_cars(), "L").convert("P")
        palette.putpalette([v for i in range(256) for v in ((i * 37) % 256, (i * 91) % 256, i)])
        palette.putdata(two_cars().ravel().tolist())
        path = frames / "instanceSegmentation" / "Camera_0" / f"instancegt_{number:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        palette.save(path)
    data = VirtualKITTI(tmp_path)
    assert len(data) == 2
    check_two_cars(data[1])
    path.unlink()
    with pytest.raises(ValueError, match=r"instancegt_00001\.png: no such file"):
        data[1]


def test_virtual_kitti_1(tmp_path):
    colours = {0: (90, 200, 255), 1: (200, 10, 30), 7: (12, 34, 56)}
    gt = np.zeros((40, 60, 3), np.uint8)
    for number, colour in colours.items():
        gt[two_cars() == number] = colour
    save(tmp_path / "vkitti_1.3.1_rgb" / "0001" / "clone" / "00000.png", bird()[0])
    save(tmp_path / "vkitti_1.3.1_scenegt" / "0001" / "clone" / "00000.png", gt)
    table = tmp_path / "vkitti_1.3.1_scenegt" / "0001_clone_scenegt_rgb_encoding.txt"
    table.write_text("Category(:id) r g b\nSky 90 200 255\nCar:3 200 10 30\nVan:9 12 34 56\n")
    check_two_cars(VirtualKITTI(tmp_path)[0])
    table.write_text("Category(:id) r g b\nSky 90 200\n")
    with pytest.raises(ValueError, match=r"scenegt_rgb_encoding\.txt line 2 is 'Sky 90 200', wanted"):
        VirtualKITTI(tmp_path)[0]


def test_virtual_kitti_missing_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"wanted Virtual KITTI 1\.3\.1 or 2"):
        VirtualKITTI(tmp_path)
    with pytest.raises(ValueError, match="is not a folder"):
        VirtualKITTI(tmp_path / "nowhere")


def test_folder(tmp_path):
    save(tmp_path / "b" / "two.png", bird()[0])
    save(tmp_path / "a" / "one.JPG", bird(20, 30, (2, 2, 9, 9))[0])
    (tmp_path / "notes.txt").write_text("no picture")
    data = PictureFolder(tmp_path)
    assert data.names == ["a/one.JPG", "b/two.png"]
    assert data[0].image.shape == (3, 20, 30)
    assert data[-1].image.shape == (3, 40, 60)
    with pytest.raises(IndexError):
        data[2]
    with pytest.raises(ValueError, match="holds no pictures"):
        PictureFolder(save(tmp_path / "c" / "x.gif", bird()[0]).parent)


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.listdir", refuse)
    with pytest.raises(
        ValueError, match=r"cannot be read \(Permission denied\), wanted a folder of pictures"
    ):
        PictureFolder(tmp_path)
