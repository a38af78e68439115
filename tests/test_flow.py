"""The house: rooms in order, no room importing a later one, and no circle of files."""

from __future__ import annotations

import ast
import functools
import graphlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "semantic_guidance"
FACES = ("semantic_guidance", "semantic_guidance.__main__")  # they open the house: nothing in it imports them

ROOMS = {
    "core": (),
    "images": ("core",),
    "renderer": ("core",),
    "guidance": ("core", "images"),
    "painting": ("core", "images", "renderer"),
    "agents": ("core", "images", "renderer", "painting"),
    "export": ("core", "images", "renderer", "painting"),
    "painter": ("core", "images", "renderer", "guidance", "painting", "agents"),
    "learning": ("core", "images", "renderer", "guidance", "agents"),
    "apps": ("core", "images", "renderer", "guidance", "painting", "agents", "export", "painter", "learning"),
}
"""The rooms, lowest first, and the rooms that each may import beside itself."""

CORNERS = {"learning.data": ("core", "images", "guidance", "learning.data")}
"""Parts of rooms that need less: a data set knows nothing of who learns from it."""


@functools.cache
def imports_in(text: str) -> list[ast.Import | ast.ImportFrom]:
    """Whatever a file with that text imports, at whatever place; to read one takes long, and several ask."""
    return [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)]


@dataclass(frozen=True)
class House:
    """The files of a package and what they import of it.

    Args:
        package: its folder.
    """

    package: Path

    @cached_property
    def modules(self) -> dict[str, Path]:
        """Every file by its dotted name."""
        names = {}
        for path in sorted(self.package.rglob("*.py")):
            name = path.relative_to(self.package.parent).with_suffix("").as_posix().replace("/", ".")
            names[name.removesuffix(".__init__")] = path
        return names

    def imports(self, name: str) -> set[str]:
        """The modules of the package that a module imports, at whatever place, in whatever way."""
        found = set()
        for node in imports_in(self.modules[name].read_text()):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif node.level == 0:
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    found.add(inner if inner in self.modules else str(node.module))
            else:
                found.add(f"relative import at line {node.lineno}")
        return {each for each in found if each.split(".")[0] == self.package.name or " " in each}

    def forbidden(self, name: str) -> set[str]:
        """What of that it may not import."""
        inner = name.partition(".")[2]
        allowed = next((CORNERS[corner] for corner in CORNERS if f"{inner}.".startswith(f"{corner}.")), None)
        if allowed is None:
            here = inner.split(".")[0]
            allowed = (here, *ROOMS[here])
        return {
            other
            for other in self.imports(name)
            if not any(f"{other.partition('.')[2]}.".startswith(f"{room}.") for room in allowed)
        }

    def see_that_there_is_no_circle(self) -> None:
        """Raise CycleError, which names it, if there is a circle of files."""
        graph = {name: self.imports(name) - {name} for name in self.modules}
        graphlib.TopologicalSorter(graph).prepare()


HOUSE = House(PACKAGE)


def test_rooms_need_only_rooms_before_them():
    names = list(ROOMS)
    for n, needed in enumerate(ROOMS.values()):
        assert set(needed) <= set(names[:n])


@pytest.mark.parametrize("name", [name for name in HOUSE.modules if name not in FACES])
def test_a_room_imports_only_what_it_needs(name):
    assert not HOUSE.forbidden(name)


def test_no_circle_of_files():
    HOUSE.see_that_there_is_no_circle()


def test_at_most_twelve_things_at_the_root():
    things = {path.name for path in PACKAGE.iterdir()} - {"__pycache__", "py.typed"}
    assert things == {*ROOMS, "__init__.py", "__main__.py"}
    assert len(things) <= 12


def imported(path: Path) -> set[str]:
    """All that a file imports, by dotted names."""
    nodes = imports_in(path.read_text())
    names = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    return names | {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}


def test_numba_is_known_to_the_sources_of_the_kernels_alone():
    kernels = PACKAGE / "renderer" / "backends" / "cpu" / "kernels"
    for path in HOUSE.modules.values():
        names = imported(path)
        jitted = any(name.endswith("kernels.compile") or name.split(".")[0] == "numba" for name in names)
        assert not jitted or path.parent == kernels, path


def test_triton_is_known_to_its_kernels_alone():
    kernels = PACKAGE / "renderer" / "backends" / "triton" / "kernels.py"
    users = [
        path for path in HOUSE.modules.values() if "triton" in {name.split(".")[0] for name in imported(path)}
    ]
    assert users == [kernels]


class TestTheseTests:
    """That they notice."""

    @pytest.fixture
    def house(self, tmp_path: Path) -> House:
        """A small house with one file in each room, and some farther in."""
        package = tmp_path / "semantic_guidance"
        for name in (*ROOMS, "learning/data", "learning/data/more", "renderer/backends/cpu"):
            (package / name).mkdir(parents=True, exist_ok=True)
            (package / name / "__init__.py").touch()
            (package / name / "thing.py").touch()
        return House(package)

    def write(self, house: House, name: str, text: str) -> set[str]:
        """What a module with that text imports and may not."""
        house.modules[f"semantic_guidance.{name}"].write_text(text)
        return house.forbidden(f"semantic_guidance.{name}")

    @pytest.mark.parametrize(
        ("lower", "higher"),
        [
            ("core.thing", "images.thing"),
            ("renderer.backends.cpu.thing", "guidance.thing"),
            ("guidance.thing", "painting.thing"),
            ("painter", "learning.thing"),
            ("learning.thing", "painter.thing"),
            ("learning.data.thing", "painter.thing"),
            ("learning.data.more.thing", "agents.thing"),
            ("learning.data", "learning.thing"),
            ("export.thing", "apps"),
        ],
    )
    @pytest.mark.parametrize(
        "text",
        [
            "from semantic_guidance.{} import something\n",
            "import semantic_guidance.{} as other\n",
            "def later():\n    from semantic_guidance.{} import something\n",
            "if TYPE_CHECKING:\n    import semantic_guidance.{}\n",
        ],
    )
    def test_an_import_of_what_it_does_not_need_is_found(self, house, lower, higher, text):
        assert self.write(house, lower, text.format(higher)) == {f"semantic_guidance.{higher}"}

    def test_a_module_imported_by_its_folder_is_found(self, house):
        found = self.write(house, "core.thing", "from semantic_guidance.images import thing\n")
        assert found == {"semantic_guidance.images.thing"}

    def test_the_package_itself_and_relative_imports_are_found(self, house):
        assert self.write(house, "apps.thing", "from semantic_guidance import Painter\n")
        assert self.write(house, "apps.thing", "from ..core import thing\n")
        assert self.write(house, "apps.thing", "from . import thing\n")

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("learning.data.more.thing", "from semantic_guidance.learning.data.thing import something\n"),
            ("learning.thing", "from semantic_guidance.learning.data import thing\n"),
            ("painter.thing", "from semantic_guidance.agents.thing import something\nimport torch\n"),
            ("core.thing", "import semantic_guidance_of_others\n"),
        ],
    )
    def test_what_it_needs_is_none_of_that(self, house, name, text):
        assert not self.write(house, name, text)

    def test_a_circle_is_found(self, house):
        self.write(house, "learning.thing", "from semantic_guidance.learning.data import thing\n")
        house.see_that_there_is_no_circle()
        self.write(house, "learning.data.thing", "from semantic_guidance.learning.data.more.thing import x\n")
        house.see_that_there_is_no_circle()
        self.write(
            house, "learning.data.more.thing", "def f():\n    import semantic_guidance.learning.thing\n"
        )
        with pytest.raises(graphlib.CycleError, match="more"):
            house.see_that_there_is_no_circle()

    def test_all_files_are_looked_at(self):
        assert len(HOUSE.modules) == len(list(PACKAGE.rglob("*.py")))
        assert {name.split(".")[1] for name in HOUSE.modules if name not in FACES} == set(ROOMS)
