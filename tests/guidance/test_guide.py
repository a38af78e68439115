"""Segmentation, instances, and the Guide on real and awkward pictures."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from semantic_guidance.core.guidance import box_of
from semantic_guidance.guidance import Guide, Segmenter, split_instances
from semantic_guidance.guidance.classifier import kind_evidence
from semantic_guidance.guidance.efficientnet import (
    EfficientNetLite0,
    convert_state_dict,
    fold_state_dict,
    normalise,
)
from semantic_guidance.guidance.refine import components, grabcut, grown
from semantic_guidance.guidance.segmenter import WEIGHTS, SegmenterConfig, default_segmenter
from tests.remembering import bits


def disc(height: int, width: int, cy: float, cx: float, radius: float) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return ((y - cy) ** 2 + (x - cx) ** 2 <= radius**2).astype(np.float32)


def ball_picture(height: int = 180, width: int = 240, cy: float = 90, cx: float = 120, radius: float = 45):
    """A shaded orange ball before a grey-blue, slightly noisy wall."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    light = np.clip(1.1 - np.hypot(y - cy + radius / 3, x - cx + radius / 3) / (2 * radius), 0.2, 1)
    wall = np.array([0.45, 0.5, 0.55]) * (0.9 + 0.1 * x / width)[..., None]
    mask = disc(height, width, cy, cx, radius)
    image = np.where(mask[..., None] > 0, np.array([1.0, 0.55, 0.1]) * light[..., None], wall)
    image = np.clip(image + rng.normal(0, 0.01, image.shape), 0, 1).astype(np.float32)
    return torch.from_numpy(image).permute(2, 0, 1), mask > 0


def iou(mask: torch.Tensor, truth: np.ndarray) -> float:
    got = mask[0].numpy() > 0.5
    return float((got & truth).sum() / (got | truth).sum())


def test_encoder_equals_the_reference_implementation():
    reference = pytest.importorskip(
        "efficientnet_lite_pytorch", reason="compares with pip install efficientnet-lite-pytorch"
    )
    theirs = reference.EfficientNet.from_name("efficientnet-lite0").eval()
    generator = torch.Generator().manual_seed(0)
    for key, value in theirs.state_dict().items():
        if key.endswith(("running_mean", "_bn0.bias", "_bn1.bias", "_bn2.bias")):
            value.copy_(torch.randn(value.shape, generator=generator) * 0.1)
    ours = EfficientNetLite0().eval()
    ours.load_state_dict(convert_state_dict(theirs.state_dict()))
    folded = EfficientNetLite0(folded=True).eval()
    folded.load_state_dict(fold_state_dict(ours.state_dict()))
    x = torch.randn(2, 3, 224, 224, generator=generator)
    with torch.no_grad():
        want = theirs(x)
        torch.testing.assert_close(ours(x), want, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(folded(x), want, rtol=1e-3, atol=1e-4)


def test_encoder_feature_sizes_round_up():
    network = EfficientNetLite0(classes=0).eval()
    with torch.no_grad():
        shapes = [tuple(f.shape[1:]) for f in network.features(torch.zeros(1, 3, 97, 161))]
    assert shapes == [(16, 49, 81), (24, 25, 41), (40, 13, 21), (112, 7, 11), (320, 4, 6)]
    with pytest.raises(ValueError, match="classes is 0"):
        network(torch.zeros(1, 3, 32, 32))


def test_convert_rejects_other_networks():
    with pytest.raises(ValueError, match="other names"):
        convert_state_dict({"layer1.weight": torch.zeros(1)})


def test_evidence_tells_animals_from_things():
    data = pytest.importorskip("skimage.data", reason="needs scikit-image's sample photographs")
    evidence = kind_evidence()

    def posteriors(picture: np.ndarray) -> torch.Tensor:
        image = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
        kinds = evidence(torch.nn.functional.interpolate(image, (256, 256)))[0]
        assert kinds.shape == (6, 8, 8)
        assert float(kinds.min()) >= -1
        return torch.exp(4 * kinds - 4)

    cat, coffee = posteriors(data.chelsea()), posteriors(data.coffee())
    # Class 999 (toilet paper) is of no kind, and kinds are cut at exp(-8).
    torch.testing.assert_close(cat.sum(0), torch.ones(8, 8), atol=0.02, rtol=0)
    assert float(cat[0].max()) > 0.99
    assert float(coffee[0].max()) < 0.9
    assert float(coffee[1:3].sum(0).max()) > 0.95  # artefacts or food


def test_normalise_is_that_of_the_original():
    bytes_ = torch.tensor([0.0, 127.0, 255.0]) / 255
    torch.testing.assert_close(normalise(bytes_), torch.tensor([-127 / 128, 0.0, 1.0]))


def test_weights_are_small_enough_and_half_precision():
    from safetensors import safe_open

    assert WEIGHTS.stat().st_size <= 10_000_000
    with safe_open(str(WEIGHTS), framework="pt") as file:
        kinds = {file.get_tensor(key).dtype for key in file.keys()}  # noqa: SIM118
    assert kinds <= {torch.float16, torch.int64}


def test_finds_a_ball():
    image, truth = ball_picture()
    guidance = Guide()(image)
    assert iou(guidance.mask, truth) > 0.95
    assert len(guidance.instances) == 1
    x, y, w, h = guidance.boxes[0]
    np.testing.assert_allclose((x, y, x + w, y + h), (75, 45, 166, 136), atol=3)
    assert float(guidance.focus[guidance.mask <= 0.5].abs().max()) == 0
    assert float(guidance.focus.max()) > 0.5


def test_finds_a_small_ball_in_a_corner():
    image, truth = ball_picture(240, 320, 60, 250, 16)
    assert iou(Guide(focus=False)(image).mask, truth) > 0.85


def test_two_balls_are_two_instances_largest_first():
    image, truth = ball_picture(160, 320, 80, 70, 30)
    other, second = ball_picture(160, 320, 80, 230, 50)
    image = torch.where(torch.from_numpy(second), other, image)
    guidance = Guide(focus=False)(image)
    assert len(guidance.instances) == 2
    assert guidance.boxes[0][2] > guidance.boxes[1][2]
    assert iou(guidance.mask, truth | second) > 0.9


def test_plain_picture_has_no_object():
    rng = np.random.default_rng(1)
    noise = torch.from_numpy(rng.normal(0.5, 0.02, (3, 120, 160)).astype(np.float32)).clamp(0, 1)
    guidance = Guide()(noise)
    assert guidance.instances == ()
    assert float(guidance.mask.max()) == 0
    assert float(guidance.focus.max()) == 0


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 40), (40, 1), (7, 5), (20, 900), (900, 20), (1500, 2600)]
)
def test_any_size(height, width):
    image = torch.rand(3, height, width, generator=torch.Generator().manual_seed(0))
    guidance = Guide()(image)
    assert guidance.mask.shape == guidance.focus.shape == (1, height, width)
    for instance in guidance.instances:
        assert instance.mask.shape == (1, height, width)


def test_huge_picture_gives_what_its_thumbnail_gives():
    image, truth = ball_picture()
    factor = 12
    huge = image.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
    guidance = Guide()(huge)
    assert guidance.mask.shape == (1, 180 * factor, 240 * factor)
    assert iou(guidance.mask, truth.repeat(factor, 0).repeat(factor, 1)) > 0.95
    np.testing.assert_allclose(np.array(guidance.boxes[0]) / factor, (75, 45, 91, 91), atol=3)
    assert float(guidance.focus[guidance.mask <= 0.5].abs().max()) == 0


def test_deterministic_and_torch_settings_stay():
    """A guide repeats itself to the last bit, whatever it has seen before: `tests.remembering` needs it."""
    image, truth = ball_picture(90, 120, 45, 50, 22)
    threads, grad = torch.get_num_threads(), torch.is_grad_enabled()
    guide, mask = Guide(), torch.from_numpy(truth).float()[None]
    assert bits(guide(image.flip(2))) != bits(first := guide(image))
    assert bits(Guide()(image)) == bits(first)
    given = bits(guide.from_mask(image, mask))
    assert bits(Guide().from_mask(image, mask)) == given
    assert bits(guide(image)) == bits(first)
    assert torch.get_num_threads() == threads
    assert torch.is_grad_enabled() == grad
    assert not first.mask.requires_grad


@pytest.mark.parametrize("bad", [torch.zeros(1, 4, 4), torch.zeros(3, 0, 4), torch.zeros(2, 3, 4, 4)])
def test_bad_shapes_are_named(bad):
    with pytest.raises(ValueError, match=r"wanted (\[3, height, width\]|at least one pixel)"):
        Guide()(bad)


def test_nan_is_named():
    with pytest.raises(ValueError, match="NaN"):
        Guide()(torch.full((3, 4, 4), float("nan")))


def test_given_mask_is_kept():
    image, truth = ball_picture()
    mask = torch.from_numpy(truth.astype(np.float32))[None]
    guidance = Guide().from_mask(image, mask)
    assert torch.equal(guidance.mask, mask)
    assert guidance.boxes == ((75, 45, 91, 91),)
    assert float(guidance.focus.max()) > 0.5
    with pytest.raises(ValueError, match="mask is empty"):
        Guide().from_mask(image, torch.zeros_like(mask))
    with pytest.raises(ValueError, match=r"mask has shape \[1, 3, 3\]"):
        Guide().from_mask(image, torch.zeros(1, 3, 3))


def test_nothing_of_a_given_mask_is_dropped():
    image = torch.rand(3, 120, 160, generator=torch.Generator().manual_seed(0))
    squares = torch.zeros(1, 120, 160)
    for n in range(12):
        squares[:, 40 * (n // 4) + 10 : 40 * (n // 4) + 25, 40 * (n % 4) + 10 : 40 * (n % 4) + 25] = 1
    speck = torch.zeros(1, 120, 160)
    speck[:, 20:80, 20:80] = 1
    speck[:, 100:102, 150:152] = 1
    speck[:, 90:95, 100:140] = 0.4
    for mask, count in ((squares, 8), (speck, 1)):
        guidance = Guide(focus=False).from_mask(image, mask)
        assert torch.equal(guidance.mask, mask)
        planes = torch.stack([instance.mask for instance in guidance.instances])
        assert len(planes) == count
        assert torch.equal(planes.sum(dim=0), mask)
    assert len(split_instances(speck)) == 1
    assert split_instances(speck)[0].box == (20, 20, 60, 60)


def test_given_box_chooses_the_object():
    image, truth = ball_picture(160, 320, 80, 70, 30)
    other, second = ball_picture(160, 320, 80, 230, 50)
    image = torch.where(torch.from_numpy(second), other, image)
    guidance = Guide(focus=False).from_box(image, (38, 48, 66, 66))
    assert iou(guidance.mask, truth) > 0.9
    plain = torch.full((3, 50, 60), 0.5)
    whole = Guide(focus=False).from_box(plain, (10, 5, 20, 30))
    assert whole.boxes == ((10, 5, 20, 30),)


@pytest.mark.parametrize("box", [(500, 0, 10, 10), (0, 0, 0, 5), (float("nan"), 0, 5, 5)])
def test_bad_boxes_are_named(box):
    image, _ = ball_picture()
    with pytest.raises(ValueError, match="box is"):
        Guide().from_box(image, box)


def test_components_agree_with_scipy():
    rng = np.random.default_rng(3)
    mask = ndimage.gaussian_filter(rng.random((90, 120)), 5)
    mask = ((mask - mask.min()) / (mask.max() - mask.min())).astype(np.float32)
    parts = components(mask, min_share=0, relative=0, join=0)
    labels, count = ndimage.label(mask > 0.5, structure=np.ones((3, 3)))
    assert len(parts) == count
    areas = sorted((int((labels == i).sum()) for i in range(1, count + 1)), reverse=True)
    assert [int((part > 0.5).sum()) for part in parts] == areas
    assert np.array_equal(np.max(parts, 0) > 0.5, mask > 0.5)


def test_small_components_are_dropped():
    mask = np.maximum(disc(100, 100, 30, 30, 20), disc(100, 100, 80, 80, 2))
    assert len(components(mask)) == 1
    assert len(components(mask, min_share=0, relative=0)) == 2
    assert components(np.zeros((5, 5), np.float32)) == []
    assert split_instances(torch.zeros(1, 5, 5)) == ()


def test_an_object_behind_a_twig_is_one():
    mask = disc(100, 120, 50, 60, 30)
    mask[48:50] = 0
    assert len(components(mask)) == 1
    assert np.array_equal(components(mask)[0], mask)
    mask[44:54] = 0
    assert len(components(mask)) == 2


def test_grabcut_finds_the_edge():
    image, truth = ball_picture()
    soft = ndimage.gaussian_filter(disc(180, 240, 94, 116, 40), 8).astype(np.float32)
    cut = grabcut((image.permute(1, 2, 0).numpy() * 255).astype(np.uint8), soft) > 0.5
    before = ((soft > 0.5) & truth).sum() / ((soft > 0.5) | truth).sum()
    after = (cut & truth).sum() / (cut | truth).sum()
    assert before < 0.85
    assert after > 0.98


def test_grabcut_without_two_sides_changes_nothing():
    image = np.zeros((10, 10, 3), np.uint8)
    for soft in (np.zeros((10, 10), np.float32), np.ones((10, 10), np.float32)):
        assert np.array_equal(grabcut(image, soft), soft)


def test_boxes():
    mask = np.zeros((20, 30), np.float32)
    assert box_of(torch.from_numpy(mask)) is None
    mask[4:9, 10:12] = 1
    assert box_of(torch.from_numpy(mask)) == (10, 4, 2, 5)
    assert grown((10, 4, 2, 5), 0.0, 20, 30) == (6, 0, 10, 13)
    assert grown((0, 0, 30, 20), 0.5, 20, 30) == (0, 0, 30, 20)


def test_weights_round_trip(tmp_path):
    image, _ = ball_picture(64, 64, 32, 32, 16)
    segmenter = default_segmenter()
    segmenter.save(tmp_path / "w.safetensors")
    again = Segmenter.load(tmp_path / "w.safetensors")
    assert again.config == segmenter.config
    assert torch.equal(again(image)[0], segmenter(image)[0])


def test_bad_weights_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"missing\.safetensors"):
        Segmenter.load(tmp_path / "missing.safetensors")
    (tmp_path / "junk.safetensors").write_bytes(b"junk" * 100)
    with pytest.raises(ValueError, match=r"junk\.safetensors"):
        Segmenter.load(tmp_path / "junk.safetensors")
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, str(tmp_path / "other.safetensors"))
    with pytest.raises(ValueError, match="cannot be read, wanted segmenter weights"):
        Segmenter.load(tmp_path / "other.safetensors")


def test_config_reaches_the_network():
    segmenter = default_segmenter()
    calls = []
    spy = Segmenter(segmenter.network, SegmenterConfig(scales=(64,), zoom_below=0.0, grabcut_weight=0.0))
    forward = spy.network.forward
    spy.network.forward = lambda x, e: calls.append(tuple(x.shape)) or forward(x, e)
    try:
        spy(torch.rand(3, 100, 200))
    finally:
        del spy.network.forward
    assert calls == [(1, 3, 32, 96)] * 2  # as it is, and mirrored
