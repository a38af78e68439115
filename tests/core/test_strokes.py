import pytest
import torch

from semantic_guidance import Guidance, Strokes
from semantic_guidance.core.guidance import Instance


def test_pack_and_unpack() -> None:
    vectors = torch.rand(2, 5, 13)
    strokes = Strokes.unpack(vectors)
    assert torch.equal(strokes.pack(), vectors)
    assert torch.equal(strokes.points[1, 2, 2], vectors[1, 2, 4:6])
    assert len(strokes) == 5
    assert strokes.batch == 2
    assert torch.equal(strokes[1:3].pack(), vectors[:, 1:3])
    assert torch.equal(Strokes.cat([strokes[:1], strokes[1:]]).pack(), vectors)


def test_a_wrong_shape_is_named() -> None:
    with pytest.raises(ValueError, match=r"color has shape \[1, 2, 4\], wanted \[1, 2, 3\]"):
        Strokes(torch.zeros(1, 2, 3, 2), torch.zeros(1, 2, 2), torch.zeros(1, 2, 2), torch.zeros(1, 2, 4))
    with pytest.raises(ValueError, match="vectors has shape"):
        Strokes.unpack(torch.zeros(2, 13))


def test_the_box_of_a_mask() -> None:
    mask = torch.zeros(1, 10, 20)
    mask[:, 2:5, 7:17] = 0.8
    assert Instance.from_mask(mask).box == (7, 2, 10, 3)
    with pytest.raises(ValueError, match="mask is empty"):
        Instance.from_mask(torch.full((1, 4, 4), 0.5))


def test_guidance_of_another_size() -> None:
    mask = torch.zeros(1, 10, 20)
    mask[:, 2:6, 8:16] = 1
    larger = Guidance.from_mask(mask).resized(20, 40)
    assert larger.mask.shape == (1, 20, 40)
    assert larger.boxes == ((16, 4, 16, 8),)
    assert larger.mask[0, 8, 24] == 1
    assert Guidance.none().resized(3, 4).mask.shape == (1, 3, 4)
    assert Guidance.none().boxes == ()
