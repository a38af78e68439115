"""A data set: the pictures that a file ``pictures.txt`` names, one a line."""

from __future__ import annotations

from pathlib import Path

from semantic_guidance.learning.data.folder import DataRequest, PictureDataset


class PictureList(PictureDataset):
    """Pictures of a list, whose names are relative to its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            lines = (folder / "pictures.txt").read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise ValueError(f"{folder / 'pictures.txt'} cannot be read, wanted a list ({error})") from None
        self.names = [line.strip() for line in lines if line.strip()]

    def path(self, index: int) -> Path:
        """Where the picture lies."""
        return self.folder / self.names[index]


def open_dataset(folder: Path, request: DataRequest) -> PictureList:
    """What the entry point names. Of the request, a list of pictures without masks has no use."""
    return PictureList(folder)
