"""Checkpoints: old ones are deleted, and nothing else that lies beside them."""

from pathlib import Path

from semantic_guidance.learning.run import checkpoint


def test_only_checkpoints_are_deleted(tmp_path: Path) -> None:
    kept = [tmp_path / checkpoint.FOLDER / name for name in ("2024 photographs", "007")]
    for folder in kept:
        folder.mkdir(parents=True)
        (folder / "a.jpg").write_text("mine")
    for episode in (1, 2, 3):
        draft = checkpoint.draft(tmp_path, episode)
        if episode == 2:
            checkpoint.draft(tmp_path, 9)  # of a process that was killed
        checkpoint.publish(draft, 1)
    assert [path.name for path in checkpoint.checkpoints(tmp_path)] == ["00000003"]
    there = {path.name for path in (tmp_path / checkpoint.FOLDER).iterdir()}
    assert there == {"00000003", *(folder.name for folder in kept)}
    assert all((folder / "a.jpg").read_text() == "mine" for folder in kept)
