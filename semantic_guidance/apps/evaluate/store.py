"""Paintings and figures on disk, each with a key of everything it depends on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semantic_guidance.apps.evaluate.methods import Method
from semantic_guidance.apps.evaluate.subjects import Subject, make_slugs
from semantic_guidance.core.files import file_digest, replacing
from semantic_guidance.core.machine import machine
from semantic_guidance.core.version import __version__
from semantic_guidance.export import save
from semantic_guidance.images.arrays import resize_array

PICTURES = "pictures"  # folder of the paintings, in that of the results
TARGET = "target"
SIDE = 512  # pixels of the paintings' longer side, whatever the picture's
PACKAGE = Path(__file__).parents[2]
ELSEWHERE = (
    "learning",
    "apps/cli",
    "apps/evaluate/held_out.py",
    "apps/evaluate/page.py",
    "apps/evaluate/published.py",
    "apps/evaluate/summary.py",
    "apps/evaluate/tables.py",
)
"""Parts of the package on which neither a painting nor its figures depend."""

Json = dict[str, Any]


class Store:
    """Keeps what was painted: ``pictures/PICTURE/METHOD.jpg``, its figures beside it as json, and the target.

    Args:
        out: folder of the results.
        methods: the ways to paint.
        settings: of all paintings.
    """

    def __init__(self, out: Path, methods: Sequence[Method], settings: Json) -> None:
        self.out = out
        self._settings = settings
        slugs = make_slugs([TARGET, *(method.name for method in methods)])
        self._slugs = {method: slugs[method.name] for method in methods}

    def key(self, subject: Subject, method: Method) -> str:
        """A hexadecimal digest of what a painting and its figures depend on.

        Raises:
            OSError: a file cannot be read.
        """
        facts = {
            "software": software(),
            "machine": [machine()[name] for name in ("cpu", "cores", "system")],
            "settings": self._settings,
            "image": file_digest(subject.image),
            "mask": None if subject.mask is None else file_digest(subject.mask),
            "agent": agent_digest(method) or method.agent,
            "method": [method.preset, method.guided],
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def read(self, subject: Subject, method: Method, key: str) -> Json | None:
        """The figures that were kept under this key; None if they are missing or damaged, or pictures are."""
        with contextlib.suppress(OSError, ValueError, RecursionError):
            record = json.loads(self._path(subject, method).read_text(encoding="utf-8"))
            pictures = (self.painting(subject, method), self.target(subject))
            figures = record.get("figures") if isinstance(record, dict) else None
            if isinstance(figures, dict) and record == _record(key, figures):
                return figures if all((self.out / picture).is_file() for picture in pictures) else None
        return None

    def write(self, subject: Subject, method: Method, key: str, canvas: Tensor, figures: Json) -> None:
        """Keep a painting ``[3, H, W]`` and its figures.

        Raises:
            OSError: a file cannot be written.
        """
        save(canvas, self.out / self.painting(subject, method))
        write_json(_record(key, figures), self._path(subject, method))

    def write_target(self, subject: Subject, image: Tensor) -> None:
        """Keep a picture ``[3, H, W]``, as large as the paintings of it, and make its folder.

        Raises:
            OSError: a file cannot be written.
        """
        (self.out / PICTURES / subject.slug).mkdir(parents=True, exist_ok=True)
        height, width = image.shape[-2:]
        scale = SIDE / max(height, width)
        pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
        resized = resize_array(pixels, max(1, round(height * scale)), max(1, round(width * scale)))
        save(torch.from_numpy(resized).permute(2, 0, 1), self.out / self.target(subject))

    def painting(self, subject: Subject, method: Method) -> str:
        """The painting's file within the folder of the results."""
        return f"{PICTURES}/{subject.slug}/{self._slugs[method]}.jpg"

    def target(self, subject: Subject) -> str:
        """The picture's file within the folder of the results."""
        return f"{PICTURES}/{subject.slug}/{TARGET}.jpg"

    def _path(self, subject: Subject, method: Method) -> Path:
        return (self.out / self.painting(subject, method)).with_suffix(".json")


def _record(key: str, figures: Json) -> Json:
    """What is kept of a painting: its figures are those that were written only if their digest says so."""
    text = json.dumps(figures, sort_keys=True)
    return {"key": key, "figures": figures, "digest": hashlib.sha256(text.encode()).hexdigest()}


def write_json(document: Json, path: Path) -> None:
    """Write a document, whole or not at all. Texts are kept as they are, JSON's escapes hide what is odd.

    Raises:
        OSError: the file cannot be written.
    """
    with replacing(path) as draft:
        draft.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def agent_digest(method: Method) -> str | None:
    """SHA-256 of the agent's file; None for one known by name, whose version is not looked at."""
    path = Path(method.agent)
    return file_digest(path) if path.is_file() else None


@lru_cache(maxsize=1)
def software() -> dict[str, str]:
    """Versions, and a digest of those parts of this package on which paintings depend."""
    code = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*")):
        name = path.relative_to(PACKAGE).as_posix()
        if path.suffix in (".py", ".safetensors", ".onnx", ".txt", ".z") and not name.startswith(ELSEWHERE):
            code.update(f"{name} {file_digest(path)}\n".encode())
    return {
        "semantic_guidance": __version__,
        "code": code.hexdigest()[:16],
        "python": platform.python_version(),
        "torch": torch.__version__,
        "llvmlite": version("llvmlite"),
        "numpy": np.__version__,
    }
