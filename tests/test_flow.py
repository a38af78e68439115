"""The house: rooms in order, no room importing a later one, and no circle of files."""

from __future__ import annotations

import ast
import graphlib
from pathlib import Path

import pytest

ROOMS = (
    "core",
    "images",
    "renderer",
    "guidance",
    "painting",
    "agents",
    "export",
    "painter",
    "learning",
    "apps",
)
PACKAGE = Path(__file__).parents[1] / "semantic_guidance"
FILES = sorted(PACKAGE.rglob("*.py"))
FACES = (PACKAGE / "__init__.py", PACKAGE / "__main__.py")  # they open the house: nothing in it imports them


def module(path: Path) -> str:
    """The dotted name of a file."""
    name = path.relative_to(PACKAGE.parent).with_suffix("").as_posix().replace("/", ".")
    return name.removesuffix(".__init__")


MODULES = {module(path): path for path in FILES}


def imports(path: Path) -> set[str]:
    """The modules of the package that a file imports, at whatever place, in whatever way."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                found.add(inner if inner in MODULES else str(node.module))
        elif isinstance(node, ast.ImportFrom):
            found.add(f"relative import at line {node.lineno}")
    return {name for name in found if name.split(".")[0] == "semantic_guidance" or " " in name}


def room(name: str) -> str:
    """The room that a module lies in."""
    return f"{name}.".split(".")[1]


@pytest.mark.parametrize("path", [p for p in FILES if p not in FACES], ids=module)
def test_a_room_imports_only_rooms_before_it(path):
    here = ROOMS.index(room(module(path)))
    later = {name for name in imports(path) if room(name) not in ROOMS[: here + 1]}
    assert not later


def test_no_circle_of_files():
    graph = {name: {other for other in imports(path) if other != name} for name, path in MODULES.items()}
    graphlib.TopologicalSorter(graph).prepare()  # it raises CycleError, which names the circle


def test_at_most_twelve_things_at_the_root():
    things = {path.name for path in PACKAGE.iterdir()} - {"__pycache__", "py.typed"}
    assert things == {*ROOMS, "__init__.py", "__main__.py"}
    assert len(things) <= 12


def test_numba_is_known_to_the_cpu_backend_alone():
    cpu = PACKAGE / "renderer" / "backends" / "cpu"
    for path in FILES:
        tree = ast.parse(path.read_text())
        names = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
        names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        jitted = any(name.endswith("cpu.compile") or name.split(".")[0] == "numba" for name in names)
        assert not jitted or cpu in path.parents, path
