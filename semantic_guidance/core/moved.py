"""Import paths of version 0.1, for one release: each still works, with a `DeprecationWarning`.

To be deleted in version 0.3.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from importlib.abc import Loader

ROOT = "semantic_guidance"

MODULES = {
    "actors": ("agents.ltp.agent",),
    "agent_file": ("agents.ltp.files", "agents.window.files"),
    "brushes": ("painting.brushes",),
    "cli": ("apps.cli.main",),
    "compat": ("core.ltp_format", "agents.ltp.checkpoint", "renderer.backends.neural"),
    "data": ("learning.data",),
    "data.cars196": ("learning.data.cars196",),
    "data.cub200": ("learning.data.cub200",),
    "data.cutouts": ("learning.data.cutouts.dataset",),
    "data.folder": ("learning.data.folder",),
    "data.rebuild_pack": ("learning.data.cutouts.rebuild_pack",),
    "data.virtual_kitti": ("learning.data.virtual_kitti",),
    "envs": ("agents.ltp.episode", "learning.gym"),
    "errors": ("core.errors",),
    "evaluation": ("apps.evaluate",),
    "export.atomic": ("core.files",),
    "gym_env": ("learning.gym",),
    "hub": ("agents.window.hub",),
    "machine": ("core.machine",),
    "medium": ("painting.medium",),
    "metrics": ("images.metrics", "guidance.recognition"),
    "networks": ("learning.networks",),
    "networks.actor": ("agents.ltp.network",),
    "networks.critic": ("learning.networks.critic",),
    "networks.discriminator": ("learning.networks.discriminator",),
    "networks.window_actor": ("agents.window.network",),
    "palette": ("images.color",),
    "planner": ("agents.planner", "agents.placing"),
    "polish": ("painter.refine",),
    "preprocess": ("learning.data.preprocess",),
    "ranges": ("core.config",),
    "renderer.neural": ("renderer.backends.neural",),
    "renderer.reference": ("renderer.backends.reference",),
    "renderer.seed_rule": ("renderer.ltp_rule",),
    "rewards": ("learning.rewards",),
    "seed_agent": ("agents.ltp.rollout",),
    "sketch": ("agents.problem",),
    "styles": ("images.restyle",),
    "training": ("learning",),
    "training.apg": ("learning.algorithms.apg",),
    "training.config": ("learning.config",),
    "training.ddpg": ("learning.algorithms.ddpg",),
    "training.loop": ("learning.run.loop",),
    "training.wgan": ("learning.algorithms.wgan",),
    "types": ("core.strokes", "core.guidance"),
    "version": ("core.version",),
    "window_agent": ("agents.window.agent",),
    "window_painter": ("agents.window.rollout",),
    "windows": ("agents.window.view",),
}
"""Old module -> the new ones that hold its names."""

NAMES = {
    "ActorPainter": "LtpAgent",
    "Polish": "Refiner",
    "PolishConfig": "RefineConfig",
    "Run": "Segment",
    "SEED_SIZE": "LTP_SIZE",
    "Sketch": "Problem",
    "film_runs": "video_segments",
    "load_seed_actor": "load_ltp_actor",
    "load_seed_renderer": "load_ltp_renderer",
    "paint_with_seed_actor": "paint_with_ltp_actor",
    "seed_composite": "ltp_composite",
    "seed_config": "ltp_config",
    "strokes_from_seed": "strokes_from_ltp",
    "strokes_to_seed": "strokes_to_ltp",
}
"""Old name -> the new one."""


class _Moved(ModuleType):
    """A module under its old name: its names are looked up where they are now."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        for place in MODULES[self.__name__.removeprefix(f"{ROOT}.")]:
            try:
                module = importlib.import_module(f"{ROOT}.{place}")
            except ImportError:  # needs an extra that is not installed; the name may be elsewhere
                continue
            found = getattr(module, NAMES.get(name, name), None)
            if found is not None:
                return found
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


class _Finder:
    """Finds modules by their old names.

    A finder and loader by its methods: to import `importlib.abc` for its base classes takes 9 ms.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        known = name.removeprefix(f"{ROOT}.") in MODULES and name.startswith(f"{ROOT}.")
        package = any(f"{ROOT}.{old}".startswith(f"{name}.") for old in MODULES)
        return ModuleSpec(name, cast("Loader", self), is_package=package) if known else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Moved(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        places = (f"{ROOT}.{place}" for place in MODULES[module.__name__.removeprefix(f"{ROOT}.")])
        warnings.warn(
            f"{module.__name__} has moved to {' and '.join(places)}; the old path will be removed in 0.3",
            DeprecationWarning,
            stacklevel=2,
        )

    def get_code(self, name: str) -> CodeType:
        """For ``python -m``: warn, then run the module where it is now."""
        place = f"{ROOT}.{MODULES[name.removeprefix(f'{ROOT}.')][0]}"
        run = f"runpy.run_module({place!r}, run_name='__main__', alter_sys=True)"
        return compile(f"import runpy, {name}\n{run}", name, "exec")


def install() -> None:
    """Let old import paths work."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
