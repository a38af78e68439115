"""What visitors keep: files of paintings, zips of several, and projects that open again."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import shutil
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from semantic_guidance.apps.serve.files import Store, safe_name, shown_name
from semantic_guidance.apps.serve.orders import (
    EXTRA,
    PICTURES,
    checked_document,
    checked_job,
    checked_options,
)
from semantic_guidance.apps.serve.paintings import UNKNOWN, Known, Paintings, fields_of
from semantic_guidance.apps.serve.pictures import Pictures, Sent
from semantic_guidance.apps.serve.pool import Lane
from semantic_guidance.apps.serve.projects import read_json, write_project
from semantic_guidance.apps.serve.records import Limits, Opened, Order, PaintingRecord, Refused
from semantic_guidance.export.base import folder_of

MANY = 200
"""Paintings in a zip at most."""

DRAWN = 16 << 20
"""Bytes that a file is taken to have before it is written."""


class Keeping:
    """Files of paintings.

    Args:
        limits: of what visitors may ask for.
        store: of files.
        lane: of the worker that writes them.
        pictures: that there are.
        paintings: that there are.
        make_room: sees to it that there is room for so many bytes; raises `Refused` if there is none.
    """

    def __init__(
        self,
        limits: Limits,
        store: Store,
        lane: Lane,
        pictures: Pictures,
        paintings: Paintings,
        make_room: Callable[[int], None],
    ) -> None:
        self.made: dict[Path, float] = {}  # folders of zips, and when they were made
        self._limits, self._store, self._lane = limits, store, lane
        self._pictures, self._paintings, self._make_room = pictures, paintings, make_room

    def own(self, id: str, name: str) -> Path:
        """One of the files that a painting has anyway.

        Raises:
            Refused: there is no such painting, it is not finished, or has no such file.
        """
        known = self._paintings.kept(id)
        self._pictures.find(known.record.picture)
        path = known.folder / name
        if not path.is_file():
            raise Refused("This painting has no such file.", 404)
        return path

    async def file(self, id: str, format: str, options: Mapping[str, Any]) -> tuple[Path, str]:
        """See `Studio.file`."""
        known = self._paintings.kept(id)
        sent = self._pictures.find(known.record.picture)
        find = self._pictures.find
        given = checked_options(format, options, self._limits, lambda id: find(id).record.path)
        name = _file_name(sent.record.name, format)
        if format == "guidance.json":
            return self.own(id, format), name
        text = json.dumps([format, given], sort_keys=True)
        path = known.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.{format}"
        async with known.writing.setdefault(path.name, asyncio.Lock()):
            if not path.is_file():
                await self._write(known, sent, format, given, path)
        return path, name

    async def _write(
        self, known: Known, sent: Sent, format: str, options: Mapping[str, Any], path: Path
    ) -> None:
        """Let a worker write a file of a painting."""
        self._make_room(DRAWN)
        task = {
            "task": "file",
            "folder": str(known.folder),
            "format": format,
            "path": str(path),
            "options": dict(options),
            "photo": str(sent.record.path),
            "frame": sent.record.frame,
        }
        try:
            await self._lane.do(task, seconds=self._limits.file_seconds)
        except Refused:
            if not known.removed:
                raise
        if known.removed:
            raise Refused(UNKNOWN, 404)
        self._store.count(known.folder)

    async def zip(self, ids: Iterable[str], formats: Iterable[str], options: Mapping[str, Any]) -> Path:
        """See `Studio.zip`."""
        wanted = [(id, format) for id in dict.fromkeys(ids) for format in dict.fromkeys(formats)]
        if not wanted:
            raise Refused("Nothing was chosen: wanted a painting and a format at least.", 422)
        if len(wanted) > MANY:
            raise Refused(f"{len(wanted)} files are too many at once, wanted at most {MANY}.", 422)
        files = [await self.file(id, format, options) for id, format in wanted]
        try:
            self._make_room(sum(path.stat().st_size for path, _ in files))
            folder = self._new_folder()
            try:
                await asyncio.to_thread(_pack, files, folder / "paintings.zip")
            except BaseException:
                self.forget(folder)
                raise
        except FileNotFoundError:  # removed by now
            raise Refused(UNKNOWN, 404) from None
        self._store.count(folder)
        return folder / "paintings.zip"

    async def project(self, id: str) -> Path:
        """See `Studio.project`."""
        known = self._paintings.kept(id)
        record = self._pictures.find(known.record.picture).record
        files = {"photo": record.path, "strokes.json": known.folder / "strokes.json"}
        guidance = known.folder / "guidance.json"
        if guidance.is_file():
            files["guidance.json"] = guidance
        for name in PICTURES:
            word = known.record.job.get(name)
            if isinstance(word, str) and word in known.pictures:
                files[name] = self._pictures.find(word).record.path
        self._make_room(sum(path.stat().st_size for path in files.values()))
        path = known.folder / "project.painting"
        async with known.writing.setdefault(path.name, asyncio.Lock()):
            if not path.is_file():
                job = known.record.job
                await asyncio.to_thread(write_project, path, record.name, record.frame, job, files)
                self._store.count(known.folder)
        return path

    async def open(self, upload: Path) -> Opened:
        """See `Studio.open_project`."""
        most = self._limits.project_bytes
        try:
            size = upload.stat().st_size
            if size > most:
                raise Refused(f"This project is larger than {most >> 20} MB.", 413)
            self._make_room(3 * size + DRAWN)
            folder = self._new_folder()
            try:
                return await self._opened(upload, folder)
            finally:
                self.forget(folder)
        finally:
            upload.unlink(missing_ok=True)

    async def _opened(self, upload: Path, folder: Path) -> Opened:
        task = {"task": "extract", "path": str(upload), "folder": str(folder), "limits": asdict(self._limits)}
        files = {kind: folder / name for kind, name in (await self._lane.do(task))["files"].items()}
        about = read_json(files["project.json"])
        frame = about.get("frame")
        frame = frame if isinstance(frame, int) and not isinstance(frame, bool) and frame > 0 else None
        name = shown_name(str(about.get("name") or "picture"))
        job = read_json(files["job.json"])
        others = {kind: path for kind, path in files.items() if kind in PICTURES}
        job = {key: value for key, value in job.items() if key not in PICTURES or _is_color(value)}
        checked_job(job, self._limits, lambda id: self._pictures.find(id).record.path)
        picture = await self._pictures.add(files["photo"], name, frame)
        added = [picture.id]
        try:
            for kind, path in others.items():
                job[kind] = (await self._pictures.add(path, path.name, None)).id
                added.append(job[kind])
            guidance = None
            if "guidance.json" in files:
                found = await asyncio.to_thread(read_json, files["guidance.json"])
                guidance = checked_document(found, 4 * self._limits.document_bytes)
            painting = await self._restored(picture.id, job, files)
        except BaseException:
            for id in added:
                self._pictures.remove(id)
            raise
        return Opened(picture, guidance, job, painting)

    async def _restored(
        self, picture: str, job: dict[str, Any], files: Mapping[str, Path]
    ) -> PaintingRecord | None:
        """The painting of a project, with its other files written anew; None if it has none."""
        folder = self._store.folder(word := secrets.token_urlsafe(18))
        try:
            for name in ("guidance.json", "strokes.json"):
                if name in files:
                    shutil.move(files[name], folder / name)
            sent = self._pictures.find(picture)
            task = {
                "task": "restore",
                "folder": str(folder),
                "photo": str(sent.record.path),
                "frame": sent.record.frame,
                "there": "strokes.json" in files,
                "size": self._limits.file_size,
            }
            done = await self._lane.do(task)
            self._store.count(folder)
        except BaseException:
            self._store.remove(folder)
            raise
        if not done:
            self._store.remove(folder)
            return None
        others = [job[name] for name in PICTURES if name in job and not _is_color(job[name])]
        record = PaintingRecord(word, picture, "done", share=1.0, job=job)
        known = Known(record, folder, Order(picture, job), {}, (picture, *others))
        self._paintings.restore(known, fields_of(known, done))
        return known.record

    def forget(self, folder: Path) -> None:
        """Remove the folder of a zip, or of a project that is opened."""
        self.made.pop(folder, None)
        self._store.remove(folder)

    def _new_folder(self) -> Path:
        folder = self._store.folder(secrets.token_urlsafe(18))
        self.made[folder] = time.monotonic()
        return folder


def _is_color(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("#")


def _file_name(picture: str, format: str) -> str:
    """The name of a file of a painting of the picture of that name."""
    stem = Path(safe_name(picture)).stem
    if format in EXTRA:
        return f"{stem}_{format}"
    return f"{stem}_painted_{format}.zip" if folder_of(format) else f"{stem}_painted.{format}"


def _pack(files: Iterable[tuple[Path, str]], path: Path) -> None:
    """Write a zip of files, under these names or, where two are alike, numbered ones."""
    taken: set[str] = set()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for source, name in files:
            stem, _, ending = name.partition("_painted.")
            number, unique = 1, name
            while unique.lower() in taken:
                number += 1
                unique = f"{stem}_painted_{number}.{ending}" if ending else f"{number}_{name}"
            taken.add(unique.lower())
            archive.write(source, unique)
