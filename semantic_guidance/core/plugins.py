"""Where strangers plug in: registries of agents, backends, guides, exporters, data sets and commands.

A registry knows things by name and place, ``"module:attribute"``, and imports them when they are asked for.
What ships, what other packages bring (entry points of the registry's group), and what a notebook registers go
through the same door.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.shown import printable

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")
ROOT = "semantic_guidance"


class PluginError(InputError):
    """A plug-in cannot be used: the message names it, the package that brings it, and the reason."""


class Registry(Generic[T]):
    """Things of one kind, by name.

    Args:
        kind: of thing, for people: ``agent``.
        group: of the entry points in which other packages declare theirs: ``semantic_guidance.agents``.
        shipped: those of this package, name -> ``"module:attribute"`` (or a module alone).
        needs: attributes without which such a thing is of no use.
    """

    def __init__(
        self, kind: str, group: str, shipped: Mapping[str, str], needs: tuple[str, ...] = ("__call__",)
    ) -> None:
        self.kind = kind
        self.needs = needs
        self.group = f"{ROOT}.{group}"
        self.shipped = {name: f"{ROOT}.{place}" for name, place in shipped.items()}
        self._registered: dict[str, T | str] = {}
        self._loaded: dict[str, T] = {}

    @cached_property
    def _found(self) -> dict[str, EntryPoint]:
        """The entry points of other packages; one cannot take the name of a thing that ships."""
        from importlib.metadata import entry_points  # takes 25 ms, and few need it

        found = sorted(entry_points(group=self.group), key=lambda point: (point.name, point.value))
        return {point.name: point for point in reversed(found) if point.name not in self.shipped}

    def names(self) -> tuple[str, ...]:
        """All names: those that ship in their order, then the others by the alphabet."""
        others = {*self._registered, *self._found} - self.shipped.keys()
        return (*self.shipped, *sorted(others))

    def others(self) -> tuple[str, ...]:
        """The names of what does not ship."""
        return tuple(name for name in self.names() if name not in self.shipped)

    def __contains__(self, name: object) -> bool:
        return name in self.shipped or name in self._registered or name in self._found

    def register(self, name: str, thing: T | str) -> None:
        """Make a thing, or the place ``"module:attribute"`` where it is, known in this process.

        It comes before one of the same name that ships.
        """
        self._registered[name] = thing
        self._loaded.pop(name, None)

    def unregister(self, name: str) -> None:
        """Forget what was registered under a name."""
        self._registered.pop(name, None)
        self._loaded.pop(name, None)

    def get(self, name: str) -> T:
        """The thing of that name.

        Raises:
            InputError: there is none; the message has the names that are close, or all.
            PluginError: it cannot be imported.
        """
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def _load(self, name: str) -> T:
        if name in self._registered:
            thing = self._registered[name]
            return self._import(name, thing, "register()") if isinstance(thing, str) else thing
        if name in self.shipped:
            return self._import(name, self.shipped[name], None)
        if name in self._found:
            point = self._found[name]
            return self._import(name, point.value, point.dist.name if point.dist else "an unknown package")
        raise InputError(f"{self.kind} is {name!r}, {self.wanted(name)}")

    def wanted(self, name: str = "") -> str:
        """What to write instead of a name that is not known."""
        close = difflib.get_close_matches(name, self.names(), 1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        return f"wanted one of {', '.join(self.names())}{hint}"

    def _import(self, name: str, place: str, source: str | None) -> T:
        """Import a thing; `source` is who brings it, None for this package, whose own faults pass through."""
        module, _, attribute = place.partition(":")
        try:
            thing: Any = importlib.import_module(module.strip())
            for part in filter(None, attribute.strip().split(".")):
                thing = getattr(thing, part)
            for need in self.needs:
                if not hasattr(thing, need):
                    raise AttributeError(f"it has no {need!r}")
        except (Exception, SystemExit) as error:
            if source is None:
                raise
            reason = str(error).splitlines()[0] if str(error) else "without a reason"
            raise PluginError(
                f"{self.kind} {name!r} of {source} cannot be loaded from {place!r}: "
                f"{type(error).__name__}: {reason}; wanted a working plug-in, or the package removed"
            ) from error
        found: T = thing
        return found


class SuffixRegistry(Registry[T]):
    """A registry whose names are ends of file names, without their first dot."""

    def of(self, path: str | Path) -> str:
        """The name of what a file name asks for by its end: ``exact.svg`` before ``svg``.

        >>> EXPORTERS.of("cat.exact.SVG"), EXPORTERS.of("cat.svg")
        ('exact.svg', 'svg')

        Raises:
            InputError: there is nothing for such files.
        """
        file = Path(path).name.lower()
        for name in sorted(self.names(), key=len, reverse=True):
            if file.endswith(f".{name}") and file != f".{name}":
                return name
        suffix = Path(path).suffix.lower().removeprefix(".")
        raise InputError(
            f"{path}: {self.kind} {suffix!r} is not known, wanted one of {', '.join(self.names())}"
        )


def usable(registry: Registry[T], warn: bool = False) -> dict[str, T]:
    """The things of a registry by name, without plug-ins that cannot be loaded.

    Args:
        registry: of the things.
        warn: whether to tell of the others on standard error, one line each.
    """
    things = {}
    for name in registry.names():
        try:
            things[name] = registry.get(name)
        except PluginError as error:
            if warn:
                with contextlib.suppress(OSError, ValueError):
                    print(f"semantic-guidance: warning: {printable(error)}", file=sys.stderr)
    return things


AGENTS: Registry[Any] = Registry(
    "agent",
    "agents",
    {
        "semantic": "agents.window.agent:semantic",
        "baseline": "agents.window.agent:baseline",
        "planner": "agents.planner:Planner",
        "paper-semantic": "agents.ltp.agent:paper_semantic",
        "paper-baseline": "agents.ltp.agent:paper_baseline",
        "paper-dense": "agents.dense.agent:paper_dense",
    },
)
"""Name -> a callable without arguments that makes an `agents.base.Agent`."""

BACKENDS: Registry[Any] = Registry(
    "backend",
    "backends",
    {
        "cpu": "renderer.backends.cpu.backend:CpuBackend",
        "triton": "renderer.backends.triton.backend:TritonBackend",
        "reference": "renderer.backends.reference:ReferenceBackend",
    },
)
"""Name -> a callable without arguments that makes a `renderer.backends.base.Backend`."""

GUIDES: Registry[Any] = Registry(
    "guide",
    "guides",
    {"default": "guidance.guide:Guide", "objects": "guidance.guide:objects", "none": "guidance.base:NoGuide"},
)
"""Name -> a callable without arguments that makes a `guidance.base.GuideLike`."""

EXPORTERS: SuffixRegistry[Any] = SuffixRegistry(
    "format",
    "exporters",
    {
        "png": "export.image:clear",
        "jpg": "export.image:plain",
        "jpeg": "export.image:plain",
        "webp": "export.image:clear",
        "height.png": "export.height:surface",
        "mp4": "export.video:mp4",
        "webm": "export.video:webm",
        "gif": "export.video:gif",
        "anim.webp": "export.video:anim_webp",
        "apng": "export.video:apng",
        "mov": "export.video:mov",
        "mkv": "export.video:mkv",
        "frames": "export.video:frames",
        "json": "export.strokes_json:strokes",
        "track.json": "export.track_json:track",
        "html": "export.html:page",
        "svg": "export.svg_sheet:editing",
        "exact.svg": "export.svg:showing",
        "plotter.svg": "export.plotter:shapes",
        "plotter.json": "export.plotter:numbers",
        "recipes.svg": "export.recipes:sheet",
        "recipes.json": "export.recipes:numbers",
    },
    needs=("write", "summary", "still", "film", "transparent", "options"),
)
"""Suffix without its first dot -> an `export.base.Exporter`."""

STYLES: Registry[Any] = Registry(
    "style",
    "styles",
    {
        name: f"painter.styles:{name}"
        for name in (
            "likeness",
            "alla-prima",
            "impressionist",
            "expressionist",
            "pointillist",
            "impasto",
            "watercolor",
            "gouache",
            "ink",
            "pencil",
            "colored-pencil",
            "palette-knife",
            "lines",
        )
    },
    needs=("hand", "ground", "brush", "ends", "marks"),
)
"""Name -> a `painter.styles.Style`."""

DATASETS: Registry[Any] = Registry(
    "dataset",
    "datasets",
    {
        "cub200": "learning.data.cub200:open_dataset",
        "cars196": "learning.data.cars196:open_dataset",
        "vkitti": "learning.data.virtual_kitti:open_dataset",
        "cutouts": "learning.data.cutouts.dataset:open_dataset",
        "folder": "learning.data.folder:open_dataset",
    },
)
"""Name -> a callable ``(folder, request)`` that opens the `learning.data.folder.Dataset` in a folder, a
`Path`, for a training run, of which a `learning.data.folder.DataRequest` tells.
"""

COMMANDS: Registry[Any] = Registry(
    "command",
    "commands",
    {
        "paint": "apps.cli.paint",
        "evaluate": "apps.cli.evaluate",
        "render": "apps.cli.render",
        "repaint": "apps.cli.repaint",
        "serve": "apps.cli.serve",
        "train": "apps.cli.train",
        "export-agent": "apps.cli.export_agent",
        "train-agent": "apps.cli.train_agent",
        "train-segmenter": "apps.cli.train_segmenter",
        "train-renderer": "apps.cli.train_renderer",
        "datasets": "apps.cli.datasets",
        "preprocess": "apps.cli.preprocess",
        "test": "apps.cli.papers_test",
    },
    needs=("SUMMARY", "add_arguments", "run"),
)
"""Name -> a module or object with ``SUMMARY``, ``add_arguments(parser)`` and ``run(args) -> exit status``."""
