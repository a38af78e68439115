from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from semantic_guidance import Guidance, Painter, render
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.apps.cli.main import main
from semantic_guidance.core.ltp_format import strokes_from_ltp
from semantic_guidance.export.strokes_json import read_strokes

SIZE = 128


def checkpoint(folder: Path, channels: int, outputs: int) -> tuple[Actor, Path]:
    """An untrained actor as the reference code would have saved it, from several GPUs."""
    torch.manual_seed(channels)
    actor = Actor(channels, outputs).eval()
    path = folder / f"actor_{channels}.pkl"
    torch.save({f"module.{name}": values for name, values in actor.state_dict().items()}, path)
    return actor, path


def picture() -> tuple[torch.Tensor, Guidance]:
    image = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0))
    image = F.interpolate(image[None], (SIZE, SIZE), mode="bicubic")[0].clamp(0, 1)
    mask = torch.zeros(1, SIZE, SIZE)
    mask[:, 30:90, 40:100] = 1
    return image, Guidance.from_mask(mask)


@torch.no_grad()
def test_a_baseline_actor_paints_as_the_seed_does(tmp_path: Path) -> None:
    """The reference code's loop, written out: canvas, target, step and coordinates in, five strokes out."""
    actor, path = checkpoint(tmp_path, 9, 65)
    image, guidance = picture()
    painting = Painter(agent=str(path), preset="draft", strokes=20, size=SIZE).paint(image, guidance)
    assert len(painting.strokes) == 20

    canvas = torch.zeros(1, 3, SIZE, SIZE)
    line = torch.arange(SIZE) / (SIZE - 1)
    rows, columns = line[:, None].expand(SIZE, SIZE), line[None].expand(SIZE, SIZE)
    for step in range(4):
        now = torch.full((1, 1, SIZE, SIZE), step / 4)
        seen = torch.cat([canvas, image[None], now, torch.stack([rows, columns])[None]], dim=1)
        strokes = strokes_from_ltp(actor(seen).view(1, 5, 13))
        canvas = render(strokes, canvas)
    plain = Painter(agent=str(path), preset="draft", strokes=20, size=SIZE).paint(image, Guidance.none())
    assert (plain.canvas - canvas[0]).abs().mean() < 2e-3
    # It knows no objects: guidance changes nothing.
    assert torch.equal(painting.canvas, plain.canvas)


def test_a_semantic_actor_without_an_object_paints_background(tmp_path: Path) -> None:
    _, path = checkpoint(tmp_path, 13, 78)
    image, _ = picture()
    painting = Painter(agent=str(path), preset="draft", strokes=13, size=SIZE).paint(image, Guidance.none())
    assert len(painting.strokes) == 13
    assert painting.foreground_strokes == 0


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    actor, path = checkpoint(tmp_path, 9, 65)
    actor.fc.weight.data[0, 0] = float("nan")
    torch.save(actor.state_dict(), path)
    with pytest.raises(ValueError, match=r"agent: .*actor_9.pkl holds numbers in .* that are not finite"):
        Painter(agent=str(path))


def test_a_semantic_actor_paints_two_levels_by_the_seeds_rule(tmp_path: Path) -> None:
    _, path = checkpoint(tmp_path, 13, 78)
    image, guidance = picture()
    painting = Painter(agent=str(path), preset="draft", strokes=13, size=SIZE).paint(image, guidance)
    counts = [(layer.level, len(layer.strokes)) for layer in painting.layers]
    # Three strokes for each level in turn; the thirteenth begins the third step.
    assert counts == [
        ("background", 3),
        ("foreground", 3),
        ("background", 3),
        ("foreground", 3),
        ("background", 1),
    ]
    assert {layer.compositing for layer in painting.layers} == {"seed"}
    assert painting.background == (0.0, 0.0, 0.0)
    painting.save(tmp_path / "strokes.json")
    assert torch.equal(read_strokes(tmp_path / "strokes.json").canvas, painting.canvas)


def test_polish_takes_over_from_an_actor(tmp_path: Path) -> None:
    _, path = checkpoint(tmp_path, 13, 78)
    image, guidance = picture()
    draft = Painter(agent=str(path), preset="draft", strokes=30, size=SIZE).paint(image, guidance)
    polished = Painter(agent=str(path), strokes=30, size=SIZE).paint(image, guidance)
    assert {layer.compositing for layer in polished.layers} == {"over"}
    assert ((polished.canvas - image) ** 2).mean() < 0.3 * ((draft.canvas - image) ** 2).mean()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_a_file_that_is_no_actor(tmp_path: Path, photo: Path, capsys, content: bytes | None) -> None:
    path = tmp_path / "bad.pkl"
    if content is None:
        torch.save({"weight": torch.zeros(3)}, path)
    else:
        path.write_bytes(content)
    argv = ["paint", str(photo), "--agent", str(path), "--no-guidance", "--out", str(tmp_path / "out")]
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("semantic-guidance: error: ")
    assert "bad.pkl" in error
    assert not (tmp_path / "out").exists()
