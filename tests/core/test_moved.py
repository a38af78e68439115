"""Import paths of version 0.1 still work, and say where things are now."""

from __future__ import annotations

import importlib
import subprocess
import sys
import warnings

import pytest

from semantic_guidance.core.moved import MODULES, NAMES, ROOT
from tests.conftest import ROOT as FOLDER


@pytest.fixture(autouse=True)
def forgotten():
    """No old path has been imported yet."""

    def forget() -> None:
        for old in MODULES:
            parent, _, name = f"{ROOT}.{old}".rpartition(".")
            sys.modules.pop(f"{ROOT}.{old}", None)
            if parent in sys.modules:
                vars(sys.modules[parent]).pop(name, None)

    forget()
    yield
    forget()


def imported(path: str) -> tuple[object, list[warnings.WarningMessage]]:
    """The module of an old path, and the warnings on the way."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        module = importlib.import_module(f"{ROOT}.{path}")
    return module, caught


@pytest.mark.parametrize("old", MODULES)
def test_an_old_path_warns_once_and_names_the_new_places(old):
    module, caught = imported(old)
    mine = [each for each in caught if str(each.message).startswith(f"{ROOT}.{old} has moved to ")]
    assert len(mine) == 1
    assert issubclass(mine[0].category, DeprecationWarning)
    assert all(f"{ROOT}.{place}" in str(mine[0].message) for place in MODULES[old])
    parents = {".".join(old.split(".")[:n]) for n in range(1, old.count(".") + 1)} & MODULES.keys()
    assert len(caught) == 1 + len(parents)  # and each parent once
    again, caught = imported(old)
    assert again is module
    assert not caught


@pytest.mark.parametrize("old", MODULES)
def test_its_names_are_those_of_the_new_places(old):
    module, _ = imported(old)
    for place in MODULES[old]:
        new = importlib.import_module(f"{ROOT}.{place}")
        public = [name for name in vars(new) if not name.startswith("_")]
        own = [name for name in public if getattr(vars(new)[name], "__module__", None) == new.__name__]
        for name in own or public[-1:]:
            assert getattr(module, name) is vars(new)[name]
    with pytest.raises(AttributeError, match=f"module '{ROOT}.{old}' has no attribute 'nonsense'"):
        _ = module.nonsense
    with pytest.raises(AttributeError):
        _ = module.__nonsense__


OLD_NAMES = {
    "ActorPainter": "actors",
    "Polish": "polish",
    "PolishConfig": "polish",
    "Run": "sketch",
    "SEED_SIZE": "compat",
    "Sketch": "sketch",
    "film_runs": "sketch",
    "load_seed_actor": "compat",
    "load_seed_renderer": "compat",
    "paint_with_seed_actor": "seed_agent",
    "seed_composite": "renderer.seed_rule",
    "seed_config": "seed_agent",
    "strokes_from_seed": "compat",
    "strokes_to_seed": "compat",
}
"""Old name -> the old module that documents it."""


def test_every_old_name_is_tried():
    assert OLD_NAMES.keys() == NAMES.keys()


@pytest.mark.parametrize("name", OLD_NAMES)
def test_an_old_name_is_the_new_one(name):
    module, _ = imported(OLD_NAMES[name])
    homes = [importlib.import_module(f"{ROOT}.{place}") for place in MODULES[OLD_NAMES[name]]]
    (found,) = {id(getattr(home, NAMES[name])) for home in homes if hasattr(home, NAMES[name])}
    assert id(getattr(module, name)) == found


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("from semantic_guidance.compat import strokes_from_seed as found", "core.ltp_format"),
        ("from semantic_guidance.types import Strokes as found", "core.strokes"),
        ("from semantic_guidance.types import Guidance as found", "core.guidance"),
        ("from semantic_guidance.envs import PaintState as found", "agents.ltp.episode"),
        ("from semantic_guidance.training.config import make_config as found", "learning.config"),
        ("from semantic_guidance.data.cutouts import compose as found", "learning.data.cutouts.compose"),
        ("from semantic_guidance.medium import Medium as found", "painting.medium"),
        ("from semantic_guidance.styles import transfer_colors as found", "images.restyle"),
        ("from semantic_guidance import envs; found = envs.transition", "agents.ltp.episode"),
        ("import semantic_guidance.rewards as r; found = r.focus_reward", "learning.rewards"),
    ],
)
def test_statements_of_old_programs(statement, where):
    names: dict[str, object] = {}
    with pytest.warns(DeprecationWarning, match="the old path will be removed in 0.3") as caught:
        exec(compile(statement, "old_program.py", "exec"), names)
    assert names["found"].__module__ == f"{ROOT}.{where}"
    assert {each.filename for each in caught} == {"old_program.py"}  # whose author is to read it


def test_other_names_are_still_missing():
    for path in ("nonsense", "training.nonsense", "compat.nonsense"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(ModuleNotFoundError):
                importlib.import_module(f"{ROOT}.{path}")


def test_no_old_path_hides_a_new_one():
    for old in MODULES:
        place = FOLDER / ROOT / old.replace(".", "/")
        assert not place.with_suffix(".py").exists()
        assert not (place / "__init__.py").exists()


def test_the_package_itself_warns_of_nothing():
    code = "import sys, semantic_guidance as s; dir(s); print({'torch', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "set()\n", "")


def test_a_module_that_runs_does_so_by_its_old_path():
    command = [sys.executable, "-W", "always", "-m", "semantic_guidance.data.rebuild_pack", "--help"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ")
    assert "has moved to semantic_guidance.learning.data.cutouts.rebuild_pack" in done.stderr
