"""A batch from beginning to end: what is not done yet is given to an engine, what comes back is written down.

Nothing here loads torch: that is the workers' business.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from semantic_guidance.apps.batch.inputs import Source
from semantic_guidance.apps.batch.manifest import Manifest, Record, hash_of, journal_of, key_of, look_at
from semantic_guidance.apps.batch.naming import END, Name, Naming, Pattern, ends_with_format
from semantic_guidance.apps.batch.options import BatchOptions
from semantic_guidance.apps.batch.places import is_url
from semantic_guidance.apps.job import Job
from semantic_guidance.core.ending import Terminated
from semantic_guidance.core.engines.base import Engine, Item, Work
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.options import OptionError, to_json
from semantic_guidance.core.plugins import EXPORTERS
from semantic_guidance.core.version import __version__

FACTORY = "semantic_guidance.apps.batch.painting:painting"

PRELOADED = ("semantic_guidance.apps.batch.preloaded",)
"""What processes that paint share."""

SINGLE = ("mask", "invert_mask", "box", "point", "not_point", "guidance")
"""Options that are about one picture."""

NAMING_FILES = (
    "agent",
    "brush",
    "palette",
    "palette_from",
    "pigments",
    "style",
    "background",
    "start_canvas",
)
"""Options that may be the name of a file."""

WHERE = ("image", "out", "output", "overwrite")
"""Options that do not tell how a picture is painted."""

SHOWN = 20
"""Errors in a summary, at most."""


class Progress(Protocol):
    """Is told how far a batch is."""

    def begin(self, total: int, done: int) -> None:
        """There are so many pictures, of which so many were done before."""

    def tell(self, record: Record) -> None:
        """A picture is done, or failed."""


@dataclass(frozen=True)
class BatchResult:
    """What became of a batch.

    Attributes:
        pictures: that were meant.
        painted: now.
        before: that had been painted before.
        failed: that could not be painted.
        errors: of the first of these, by picture.
        manifest: the file that tells of all.
        workers: at the same time.
        seconds: that it took.
    """

    pictures: int
    painted: int
    before: int
    failed: int
    errors: dict[str, str]
    manifest: str
    workers: int
    seconds: float

    def summary(self) -> dict[str, Any]:
        """As JSON values: what ``paint --json`` prints."""
        return {**vars(self), "seconds": round(self.seconds, 3)}


def run_batch(
    job: Job,
    sources: Sequence[Source],
    options: BatchOptions,
    engine: Engine,
    progress: Progress | None = None,
) -> BatchResult:
    """Paint pictures as a job says; what has been done before is not done again.

    Args:
        job: how each is painted; its photograph, folder and name do not matter.
        sources: the pictures.
        options: where the files go, and how they are named.
        engine: who does it; it is closed at the end.
        progress: is told how far it is.

    Raises:
        InputError: something is wrong with the options; nothing has been written.
        OSError: the folder cannot be written to.
        KeyboardInterrupt: it was interrupted; says how to go on. So does `Terminated`.
    """
    began = time.perf_counter()
    job, pattern = settled(job, options)
    settings = settings_hash(job, options)
    manifest = manifest_of(options)
    tally = _Tally(len(options.shared(sources)))
    _check_folder(options.out)
    check_shard(sources, options)
    with contextlib.closing(engine), manifest.alone(), contextlib.closing(manifest):
        manifest.read()
        manifest.take_up()
        naming = Naming(job, settings, job.style or "auto", pattern)
        items = open_items(sources, naming, manifest, options)
        tally.before = tally.pictures - len(items)
        if progress is not None:
            progress.begin(tally.pictures, tally.before)
        work = Work(FACTORY, work_settings(job, settings, options.out, options.part))
        done = _records(engine, work, items, settings)
        with _ended_well(manifest, items, tally), contextlib.closing(done):
            for record in done:
                tally.count(record)  # first: who is interrupted between the two finds it in the journal
                manifest.add(record)
                if progress is not None:
                    progress.tell(record)
    return BatchResult(
        tally.pictures,
        tally.painted,
        tally.before,
        tally.failed,
        tally.errors,
        manifest.name,
        engine.workers,
        time.perf_counter() - began,
    )


def settled(job: Job, options: BatchOptions) -> tuple[Job, Pattern | None]:
    """The job with its files' formats, and how they are named.

    Raises:
        OptionError: options are about one picture, or contradict each other.
    """
    for name in SINGLE:
        if getattr(job, name) not in (None, False, ()):
            raise OptionError(name, "it is about one picture, and there are several, wanted one at a time")
    word = Path(options.out).name
    if ends_with_format(word) and not Path(options.out).is_dir():
        raise OptionError("out", f"{options.out} names one file, and there are several, wanted a folder")
    if options.pattern is None:
        return replace(job, overwrite=options.overwrite), None
    text, usual = options.pattern, type(job).formats
    if not text.endswith(END) and ends_with_format(text):
        asked = EXPORTERS.of(text)
        text = text[: -len(asked) - 1] + END
        if job.formats is not usual and asked not in job.formats:
            raise OptionError(
                "formats", f"{','.join(job.formats)} is without {asked}, as which they are named"
            )
        job = replace(job, formats=(asked,)) if job.formats is usual else job
    return replace(job, overwrite=options.overwrite), Pattern(text)


def settings_hash(job: Job, options: BatchOptions) -> str:
    """Hash of all that tells how a picture is painted and how its files are named."""
    values: dict[str, Any] = {name: value for name, value in to_json(job).items() if name not in WHERE}
    files = {name: hash_of(str(getattr(job, name) or "")) for name in NAMING_FILES}
    values |= {"formats": list(job.formats), "pattern": options.pattern}
    values["files"] = {name: known for name, known in files.items() if known}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def work_settings(job: Job, settings: str, out: str, part: str = "") -> dict[str, Any]:
    """What `painting.painting` is told: `out` is the folder for the files, or its address."""
    values = {name: value for name, value in to_json(job).items() if name not in ("image", "out", "output")}
    for name in NAMING_FILES:
        if isinstance(value := values.get(name), str) and os.path.isfile(value):
            values[name] = os.path.abspath(value)  # wherever a worker is
    where = out if is_url(out) else os.path.abspath(out)
    return {"job": values, "settings": settings, "out": where, "journal": journal_of(part)}


@dataclass
class _Tally:
    """What has been counted so far."""

    pictures: int
    before: int = 0
    painted: int = 0
    failed: int = 0

    def __post_init__(self) -> None:
        self.errors: dict[str, str] = {}
        self._counted: set[str] = set()

    def count(self, record: Record) -> None:
        """Count a picture, once."""
        if record.key in self._counted:
            return
        self._counted.add(record.key)
        if record.error:
            self.failed += 1
            if len(self.errors) < SHOWN:
                self.errors[record.input] = record.error
        else:
            self.painted += 1

    def words(self) -> str:
        """Where a batch has been broken off."""
        done = self.before + self.painted
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{done} of {self.pictures} pictures are done{failed}; the same command goes on from here"


def open_items(
    sources: Sequence[Source], naming: Naming, manifest: Manifest, options: BatchOptions
) -> list[dict[str, Any]]:
    """What is to be done, for each picture of this part that is not done yet."""
    taken = {} if naming.pattern and options.overwrite else manifest.taken()
    names = naming.names(sources, taken)  # of all: a part's are the same whatever the parts
    items = []
    for source, name in options.shared([*zip(sources, names, strict=True)]):
        key = key_of(source.path, naming.settings)
        known = manifest.done(key)
        if known is not None and not options.overwrite and _is_same(source, known):
            continue
        items.append(_item(source, key, name))
    return items


def _item(source: Source, key: str, name: Name) -> dict[str, Any]:
    return {
        "key": key,
        "input": source.path,
        "folder": name.folder,
        "stem": None if name.usual else name.stem,
    }


def _is_same(source: Source, known: Record) -> bool:
    """Whether a picture is the one that was painted, by its size and time, or else by what is in it.

    What is at an address is taken to be what it was: to ask again for each would take hours for many.
    """
    if is_url(source.path):
        return True
    look = look_at(source.path)
    return bool(look) and (look == known.look or hash_of(source.path) == known.hash)


def _records(
    engine: Engine, work: Work, items: Sequence[Item], settings: str
) -> Generator[Record, None, None]:
    """What became of each item, as it comes.

    Raises:
        InputError: none can be done.
    """
    with contextlib.closing(engine.run(work, items)) as outcomes:  # type: ignore[type-var]
        for outcome in outcomes:
            values = outcome.result
            if values is None:
                about = {"key": outcome.item["key"], "input": outcome.item["input"], "settings": settings}
                yield Record(**about, error=outcome.error, version=__version__, finished=time.time())
            elif "stop" in values:
                raise InputError(values["stop"])
            elif (record := Record.from_json(json.dumps(values))) is not None:
                yield record


@contextlib.contextmanager
def _ended_well(manifest: Manifest, items: Sequence[Item], tally: _Tally) -> Iterator[None]:
    """However the block ends, what workers have finished is in the manifest, and nothing half written stays.

    Who is interrupted is told how to go on.
    """
    try:
        yield
    except BaseException as error:
        for record in manifest.take_up():
            tally.count(record)
        manifest.sweep({str(item["folder"]) for item in items})
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(f"interrupted: {tally.words()}") from None
        if isinstance(error, Terminated):
            raise Terminated(error.number, f"terminated: {tally.words()}") from None
        raise


def check_shard(sources: Sequence[Source], options: BatchOptions) -> None:
    """See that all parts, whenever they begin, are parts of the same pictures.

    Raises:
        OptionError: paintings of the others come among the pictures.
    """
    real: Callable[[str], str] = str if is_url(options.out) else os.path.realpath
    home = real(options.out).rstrip("/" + os.sep) + ("/" if is_url(options.out) else os.sep)
    inside = (source.path for source in sources if real(source.path).startswith(home))
    if options.shard is not None and (path := next(inside, None)) is not None:
        raise OptionError("out", f"{path} lies there, wanted a folder without pictures for --shard")


def painted_before(options: BatchOptions) -> set[str]:
    """The files of earlier batches in the folder for the files, which are no photographs."""
    manifest = manifest_of(options)
    manifest.read()
    return manifest.files()


def manifest_of(options: BatchOptions) -> Manifest:
    """The manifest of the folder for the files, or of its address."""
    if not is_url(options.out):
        return Manifest(Path(options.out), options.part)
    from semantic_guidance.apps.batch.remote import RemoteManifest

    return RemoteManifest(options.out, options.part)


def _check_folder(out: str) -> None:
    """See that there is a folder, or that one can be made.

    Raises:
        OSError: it cannot.
    """
    if not is_url(out) and os.path.exists(out) and not os.path.isdir(out):
        raise OSError(f"--out: {out}: Not a directory, wanted a folder to write to")
