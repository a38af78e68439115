import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from semantic_guidance import Guidance, Painter, load_image
from semantic_guidance.agents.window.files import load_window_actor, save_window_actor
from semantic_guidance.agents.window.network import WindowActor
from semantic_guidance.agents.window.view import CHANNELS, SIDE
from semantic_guidance.guidance import Guide
from semantic_guidance.images.files import load_mask
from semantic_guidance.images.metrics import painting_errors
from tests.conftest import EXAMPLES


def example(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    image = load_image(EXAMPLES / f"{name}.jpg")
    return image, load_mask(EXAMPLES / f"{name}_mask.png", *image.shape[1:])


@pytest.mark.parametrize("name", ["coffee", "rocket"])
def test_the_shipped_agents_draft_better_than_the_planner(name: str) -> None:
    image, mask = example(name)
    guidance = Guide(focus=False).from_mask(image, mask)
    errors = {}
    for agent in ("semantic", "baseline", "planner"):
        painting = Painter(agent, "draft", strokes=200, size=256).paint(image, guidance)
        assert len(painting.strokes) == 200
        errors[agent] = painting_errors(painting.canvas, image, mask)
    assert errors["semantic"].everywhere < 0.8 * errors["planner"].everywhere
    assert errors["baseline"].everywhere < 0.8 * errors["planner"].everywhere
    if name == "rocket":  # small in the picture
        assert (errors["semantic"].foreground or 1) < 0.6 * (errors["baseline"].foreground or 0)


def test_the_baseline_knows_no_objects() -> None:
    image, mask = example("rocket")
    told = Painter("baseline", "draft", strokes=60, size=128).paint(image, Guidance.from_mask(mask))
    untold = Painter("baseline", "draft", strokes=60, size=128).paint(image)
    assert told.foreground_strokes == 0
    assert torch.equal(told.canvas, untold.canvas)
    assert told.guidance.boxes  # but the caller may measure with it
    assert not untold.guidance.boxes


def test_a_flat_picture_needs_no_strokes_but_polish_gets_them_all() -> None:
    flat = torch.full((3, 40, 60), 0.3)
    assert len(Painter("semantic", "draft", strokes=50).paint(flat, Guidance.none(40, 60)).strokes) == 0
    assert len(Painter("semantic", strokes=50).paint(flat, Guidance.none(40, 60)).strokes) == 50


def test_a_window_actor_comes_back_from_its_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    actor = WindowActor(CHANNELS, (8, 8, 16, 16)).eval()
    path = tmp_path / "mine.safetensors"
    save_window_actor(actor, True, {"steps": 1}, path)
    loaded, guided = load_window_actor(path)
    seen = torch.rand(2, CHANNELS, SIDE, SIDE)
    assert guided
    assert torch.allclose(loaded(seen), actor(seen), atol=2e-2)  # half precision
    shutil.copy(path, tmp_path / "LOUD.SAFETENSORS")
    assert Painter(str(tmp_path / "LOUD.SAFETENSORS")).guided
    image = torch.rand(3, 30, 40)
    assert (
        len(Painter(str(path), "draft", strokes=5, size=64).paint(image, Guidance.none(30, 40)).strokes) <= 5
    )
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(
        ValueError, match=r"^agent: .*mine\.safetensors cannot be read, wanted an agent's weights"
    ):
        Painter(str(path))


@pytest.mark.parametrize(("about", "missing"), [(None, "'config'"), ({"config": "{}"}, "'format'")])
def test_a_file_of_something_else_is_refused(
    tmp_path: Path, about: dict[str, str] | None, missing: str
) -> None:
    path = tmp_path / "other.safetensors"
    path.write_bytes(save({"weight": torch.zeros(1)}, about))
    with pytest.raises(ValueError, match=rf"^agent: .* wanted an agent's weights \(it has no {missing}\)"):
        Painter(str(path))


@pytest.mark.parametrize("name", ["semantic", "baseline"])
def test_agents_travel_by_the_hub(tmp_path: Path, name: str) -> None:
    """With what they paint, and with whether they know of objects."""
    from semantic_guidance.agents.window.agent import WEIGHTS
    from semantic_guidance.agents.window.hub import HubWindowActor

    HubWindowActor.from_file(WEIGHTS / f"{name}.safetensors").save_pretrained(tmp_path / "repository")
    pulled = HubWindowActor.from_pretrained(tmp_path / "repository")
    assert pulled.guided == (name == "semantic")
    pulled.to_file(tmp_path / "pulled.safetensors")
    # The file has halves, where the agent that ships has bytes and scales.
    network, guided = load_window_actor(WEIGHTS / f"{name}.safetensors")
    sent = {
        key: values.half().float() if values.is_floating_point() else values
        for key, values in network.state_dict().items()
    }
    got = load_window_actor(tmp_path / "pulled.safetensors")[0].state_dict()
    assert all(torch.equal(got[key], values) for key, values in sent.items())
    network.load_state_dict(sent)
    save_window_actor(network, guided, {}, tmp_path / "sent.safetensors")
    mask = torch.zeros(1, 32, 48)
    mask[:, 8:20, 24:40] = 1
    image = torch.rand(3, 32, 48, generator=torch.Generator().manual_seed(0))
    paintings = [
        Painter(agent, "draft", strokes=20, size=64).paint(image, Guidance.from_mask(mask))
        for agent in (str(tmp_path / "sent.safetensors"), str(tmp_path / "pulled.safetensors"))
    ]
    assert torch.equal(paintings[0].canvas, paintings[1].canvas)
    assert (paintings[1].foreground_strokes > 0) == (name == "semantic")
