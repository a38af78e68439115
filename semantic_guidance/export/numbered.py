"""Folders of numbered pictures: what they and their files are called."""

from __future__ import annotations

import re

FOLDER = "frames"
"""How the names of the folders end, after a dot or a low line."""

NUMBERED = re.compile(r"[0-9]{6,}\.png")
"""Names of the pictures."""

FIRST = "000001.png"


def is_numbered(name: str) -> bool:
    """Whether a folder of numbered pictures is called so.

    >>> is_numbered("cat_painted_frames"), is_numbered("Cat.FRAMES"), is_numbered("frames")
    (True, True, False)
    """
    return name.lower().endswith((f"_{FOLDER}", f".{FOLDER}"))
