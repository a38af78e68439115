"""Two runs in one folder: the second is told of the first before it does anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.locks import only_one
from semantic_guidance.learning.neural_renderer import RendererConfig, train_renderer
from semantic_guidance.learning.run import checkpoint
from semantic_guidance.learning.run.loop import train
from semantic_guidance.learning.segmenter.config import SegmenterTrainingConfig
from semantic_guidance.learning.segmenter.train import train_segmenter
from semantic_guidance.learning.window.config import WindowTrainingConfig
from semantic_guidance.learning.window.train import train_window_agent

TRAINERS = {
    "ddpg": lambda out: train(dataset="folder", data="none", output=str(out.parents[1]), exp_suffix=out.name),
    "apg": lambda out: train(
        dataset="folder", data="none", output=str(out.parents[1]), exp_suffix=out.name, method="apg"
    ),
    "window agent": lambda out: train_window_agent(WindowTrainingConfig(pack=Path("none"), out=out)),
    "segmenter": lambda out: train_segmenter(SegmenterTrainingConfig(pack=Path("none"), out=out)),
    "renderer": lambda out: train_renderer(RendererConfig(output=str(out))),
}


@pytest.mark.parametrize("name", TRAINERS)
def test_the_second_is_told(tmp_path: Path, name: str):
    folder = tmp_path / "folder" / "run"
    with (
        only_one(folder, "nothing"),
        pytest.raises(InputError, match=r"another process.* is writing there, wanted another --"),
    ):
        TRAINERS[name](folder)
    assert list(tmp_path.rglob("*")) in ([], [tmp_path / "folder"])


def test_what_the_first_has_saved_meanwhile_is_not_looked_at(tmp_path: Path):
    """Whether a run may begin is asked when nobody else can change the answer."""
    folder = tmp_path / "folder" / "run"
    checkpoint.publish(checkpoint.draft(folder, 1), 9)
    with only_one(folder, "nothing"), pytest.raises(InputError, match="another process"):
        TRAINERS["ddpg"](folder)
    with pytest.raises(InputError, match="holds a run already"):
        TRAINERS["ddpg"](folder)
    assert sorted(path.name for path in folder.iterdir()) == [checkpoint.FOLDER]


def test_a_checkpoint_is_never_seen_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A process that is killed while it deletes an old one leaves nothing under its name."""
    for episode in (1, 2):
        draft = checkpoint.draft(tmp_path, episode)
        (draft / "a.pt").touch()
        checkpoint.publish(draft, 9)
    monkeypatch.setattr(checkpoint.shutil, "rmtree", lambda *_, **__: None)  # as if killed before
    draft = tmp_path / checkpoint.FOLDER / "00000002.part"
    draft.mkdir()
    (draft / "b.pt").touch()
    checkpoint.publish(draft, 1)
    assert [path.name for path in checkpoint.checkpoints(tmp_path)] == ["00000002"]
    assert [path.name for path in checkpoint.checkpoints(tmp_path)[0].iterdir()] == ["b.pt"]
    monkeypatch.undo()
    checkpoint.sweep(tmp_path)
    assert [path.name for path in (tmp_path / checkpoint.FOLDER).iterdir()] == ["00000002"]
