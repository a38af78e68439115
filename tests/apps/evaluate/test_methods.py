"""From words to methods and from folders to pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from semantic_guidance.apps.evaluate import find_subjects, parse_methods
from semantic_guidance.apps.evaluate.subjects import make_slugs
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.plugins import AGENTS


def described(words: list[str] | None) -> list[tuple[str, str, str, bool]]:
    return [(m.name, m.agent, m.preset, m.guided) for m in parse_methods(words)]


def test_an_agent_stands_for_itself_alone_and_polished():
    alone, polished = (
        ("planner+draft", "planner", "draft", True),
        ("planner+standard", "planner", "standard", True),
    )
    assert described(["planner"]) == [alone, polished]
    assert described(["planner+polish", "planner+draft", "planner+standard"]) == [polished, alone]
    assert described(["planner+fine+unguided"]) == [("planner+fine+unguided", "planner", "fine", False)]
    assert [name for name, *_ in described(["planner+unguided"])] == [
        "planner+draft+unguided",
        "planner+standard+unguided",
    ]


def test_all_agents_that_ship_by_default():
    assert [(agent, preset) for _, agent, preset, _ in described(None)] == [
        (agent, preset) for agent in AGENTS.names() for preset in ("draft", "standard")
    ]


def test_files_of_agents(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = ["runs/one/actor.safetensors", "runs/two/actor.safetensors", "other+fine.pkl", "planner.pkl"]
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()
    words = [
        f"{paths[0]}+draft",
        f"{paths[1]}+draft+unguided",
        paths[2],
        "planner.pkl+draft",
        "planner+draft",
    ]
    assert described(words) == [
        ("one/actor+draft", paths[0], "draft", True),
        ("two/actor+draft+unguided", paths[1], "draft", False),
        ("other+fine+draft", paths[2], "draft", True),
        ("other+fine+standard", paths[2], "standard", True),
        ("planner.pkl+draft", "planner.pkl", "draft", True),
        ("planner+draft", "planner", "draft", True),
    ]


@pytest.mark.parametrize("word", ["", "nobody", "planner+", "planner+rough", "planner+draft+fine", "+draft"])
def test_no_methods(word):
    with pytest.raises(InputError, match=r"^--methods: got .*planner.*draft, standard, fine, polish"):
        parse_methods([word])


def make(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_pictures_of_a_folder(tmp_path):
    names = ["b.jpg", "a.JPEG", "a_mask.png", "lone_mask.png", "notes.txt", ".hidden.png"]
    folder = make(tmp_path / "pictures", *names)
    (folder / "folder.png").mkdir()
    subjects = find_subjects(folder)
    assert [subject.image.name for subject in subjects] == ["a.JPEG", "b.jpg", "lone_mask.png"]
    assert [subject.name for subject in subjects] == ["a", "b", "lone_mask"]
    assert {subject.mask for subject in subjects} == {None}
    assert [subject.name for subject in find_subjects(folder, limit=1)] == ["a"]


def test_pictures_of_the_same_name(tmp_path):
    subjects = find_subjects(make(tmp_path, "a.jpg", "A.png", "b.png"))
    assert [subject.name for subject in subjects] == ["A.png", "a.jpg", "b"]


def test_masks(tmp_path):
    pictures = make(tmp_path / "pictures", "a.png", "b.jpg", "c.png")
    masks = make(tmp_path / "masks", "a.png", "b_mask.png", "b.png", "other.png")
    found = {subject.name: subject.mask for subject in find_subjects(pictures, masks)}
    assert found == {"a": masks / "a.png", "b": masks / "b_mask.png", "c": None}
    make(pictures, "c_mask.png")
    found = {subject.name: subject.mask for subject in find_subjects(pictures, pictures)}
    assert found == {"a": None, "b": None, "c": pictures / "c_mask.png"}


def test_no_pictures(tmp_path):
    full, empty = make(tmp_path / "full", "a.png"), make(tmp_path / "empty", "notes.txt")
    with pytest.raises(InputError, match="none: no such folder"):
        find_subjects(tmp_path / "none")
    with pytest.raises(InputError, match=r"a\.png: not a folder"):
        find_subjects(full / "a.png")
    with pytest.raises(InputError, match="empty: no pictures"):
        find_subjects(empty)
    with pytest.raises(InputError, match=r"--masks: .*none: no such folder"):
        find_subjects(full, tmp_path / "none")
    for masks in (empty, full):
        with pytest.raises(
            InputError, match=r"--masks: .* has no mask of any picture, wanted files like a\.png"
        ):
            find_subjects(full, masks)


def test_slugs_differ_and_are_safe():
    names = ["a b", "a/b", "A_b", "..", "é", "x.y-z_1", "n" * 300]
    slugs = make_slugs(names)
    assert [slugs[name] for name in names] == ["a_b", "a_b_2", "A_b_3", "_", "__2", "x.y-z_1", "n" * 80]
