"""The one-way flow: picture, guidance, strokes, canvas, painting, files. Read from the imports."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "semantic_guidance"
FACES = ("cli", "commands", "web", "__main__")  # what people see; nothing builds on it
MAKERS = (
    "brushes",
    "painter",
    "painting",
    "planner",
    "polish",
    "sketch",
    "renderer",
    "envs",
    "rewards",
    "export",
    "evaluation",
)
FORBIDDEN = {
    "guidance": (*MAKERS, "networks", "training", *FACES),
    "networks": ("guidance", *MAKERS, "training", *FACES),
    "renderer": ("guidance", "painter", "painting", "planner", "polish", "training", "export", *FACES),
    "images": ("guidance", *MAKERS, "training", *FACES),
    "types": ("guidance", *MAKERS, "images", "training", *FACES),
    "metrics": (*MAKERS, "training", *FACES),
    "export": ("painter", "planner", "polish", "guidance", "training", *FACES),
    "brushes": ("guidance", *(set(MAKERS) - {"renderer"}), "training", *FACES),
    "planner": ("painter", "painting", "export", "training", *FACES),
    "polish": ("painter", "painting", "export", "training", *FACES),
    "detail": ("painter", "painting", "export", "training", *FACES),
    "envs": ("guidance", "painter", "painting", "planner", "polish", "export", "training", *FACES),
    "rewards": ("guidance", "painter", "painting", "planner", "polish", "export", "training", *FACES),
    "seed_agent": ("painter", "painting", "planner", "polish", "export", "training", *FACES),
    "actors": ("painter", "planner", "polish", "export", "training", *FACES),
    "agent_file": ("painter", "painting", "planner", "polish", "training", *FACES),
    "painter": ("export", "evaluation", "training", *FACES),
    "painting": ("painter", "planner", "polish", "evaluation", "training", *FACES),
    "evaluation": ("training", *FACES),
}


def part(module: str) -> str:
    """The part of the package that a module's name belongs to, '' if it is not of this package."""
    names = module.split(".")
    return names[1] if names[0] == "semantic_guidance" and len(names) > 1 else ""


def imports(path: Path) -> set[str]:
    """The parts of the package that a file imports, at whatever place."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {part(name.name) for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {part(f"{node.module}.{name.name}") for name in node.names}
    return found - {""}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_flows_back(path):
    home = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    forbidden = set(FORBIDDEN.get(home, () if home in FACES else FACES))
    assert not imports(path) & (forbidden - {home})
