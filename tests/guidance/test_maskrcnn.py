"""The Mask R-CNN adapter: with a stand-in model everywhere, with the real one where torchvision is."""

import sys

import pytest
import torch
from torch import nn

from semantic_guidance.guidance.maskrcnn import MaskRCNNGuide, build_maskrcnn, load_maskrcnn


class Detector(nn.Module):
    """Answers as torchvision's detectors do."""

    def forward(self, images):
        height, width = images[0].shape[1:]
        masks = torch.zeros(3, 1, height, width)
        masks[0, :, 4:10, 5:12] = 0.9
        masks[1, :, 8:30, 10:40] = 0.8
        masks[2, :, 0:3, 0:3] = 1.0
        return [{"scores": torch.tensor([0.9, 0.7, 0.2]), "masks": masks, "boxes": torch.zeros(3, 4)}]


def test_guide_from_detections():
    guidance = MaskRCNNGuide(Detector(), focus=False)(torch.rand(3, 40, 50))
    assert guidance.boxes == ((10, 8, 30, 22), (5, 4, 7, 6))  # largest first; the third scores too low
    assert float(guidance.mask[0, 9, 11]) == pytest.approx(0.9)  # the better one keeps what both want
    assert guidance.instances[0].mask[0, 9, 11] == 0
    assert MaskRCNNGuide(Detector(), most=1, focus=False)(torch.rand(3, 40, 50)).boxes == ((5, 4, 7, 6),)
    assert MaskRCNNGuide(Detector(), threshold=0.95)(torch.rand(3, 40, 50)).instances == ()
    with pytest.raises(ValueError, match="wanted \\[3, height, width\\]"):
        MaskRCNNGuide(Detector())(torch.rand(1, 3, 40, 50))


def test_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(ValueError, match=r"pip install 'semantic-guidance\[maskrcnn\]'"):
        load_maskrcnn(tmp_path / "birds_obj_seg.pkl")


def test_loads_a_checkpoint_of_the_seed(tmp_path):
    pytest.importorskip("torchvision", reason="torchvision is optional", exc_type=ImportError)
    model = build_maskrcnn()
    path = tmp_path / "birds_obj_seg.pkl"
    torch.save(model.state_dict(), path)
    loaded = load_maskrcnn(path)
    assert all(
        torch.equal(a, b)
        for a, b in zip(model.state_dict().values(), loaded.state_dict().values(), strict=True)
    )
    assert MaskRCNNGuide(loaded, focus=False)(torch.rand(3, 64, 80)).mask.shape == (1, 64, 80)
    torch.save({"weights": print}, path)
    with pytest.raises(ValueError, match=r"birds_obj_seg\.pkl cannot be read"):
        load_maskrcnn(path)
    with pytest.raises(ValueError, match=r"none\.pkl cannot be read"):
        load_maskrcnn(tmp_path / "none.pkl")
