"""The evaluation itself: every picture painted by every method, and measured."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath

import torch

from semantic_guidance.apps.batch.painting import use_threads
from semantic_guidance.apps.evaluate.columns import LPIPS, columns_of
from semantic_guidance.apps.evaluate.lpips import load_lpips
from semantic_guidance.apps.evaluate.measure import Known, measure
from semantic_guidance.apps.evaluate.methods import ALONE, Method
from semantic_guidance.apps.evaluate.store import SIDE, Json, Store, agent_digest, software
from semantic_guidance.apps.evaluate.subjects import Subject, shown
from semantic_guidance.apps.evaluate.summary import summarise
from semantic_guidance.core.engines.base import Do, Engine, Item, Work
from semantic_guidance.core.engines.local import told
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.machine import Neighbours, machine
from semantic_guidance.guidance import Guide
from semantic_guidance.painter.painter import Painter

FORMAT = "semantic-guidance/evaluation"
FACTORY = "semantic_guidance.apps.evaluate.run:evaluating"


@dataclass(frozen=True)
class Listener:
    """What an evaluation reports its progress to.

    Attributes:
        done: called with the number of paintings done, with a fraction, and the current picture's name.
        skipped: called with the reason why a picture is skipped.
    """

    done: Callable[[float, str], None]
    skipped: Callable[[str], None]


class Evaluation:
    """Pictures, the methods to paint them, and where the results go.

    What was painted and measured before in the same folder is kept if nothing that it depends on has changed:
    picture, mask, method, settings, this package and the machine.

    Args:
        subjects: the pictures.
        methods: the ways to paint them.
        out: folder of the results.
        strokes: of each painting.
        seed: of all random choices.
        notes: more settings to note down in the results.
        lpips: whether LPIPS is measured, too, which needs the extra ``metrics``.

    Raises:
        InputError: a method's agent is not usable, a number is out of range, or LPIPS cannot be measured.
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        methods: Sequence[Method],
        out: Path,
        strokes: int = 300,
        seed: int = 0,
        notes: Json | None = None,
        lpips: bool = False,
    ) -> None:
        self.subjects = subjects
        self.methods = methods
        self.settings: Json = {"strokes": strokes, "seed": seed, "side": SIDE} | (
            {LPIPS.key: True} if lpips else {}
        )
        self._columns = columns_of(lpips)
        self._lpips = load_lpips() if lpips else None
        self.notes = notes or {}
        self._store = Store(out, methods, self.settings)
        self._painters = {method: method.painter(strokes, SIDE, seed) for method in methods}
        self._warm = False

    def run(self, listener: Listener, engine: Engine | None = None) -> Json:
        """Paint and measure what is missing.

        Args:
            listener: is told how far it is.
            engine: paints and measures, in place of this process; its workers must see the same files.

        Returns:
            All results, as results.json has them; pictures that cannot be read are under ``skipped``.

        Raises:
            OSError: the results cannot be written.
            InputError: a worker cannot write them, or nobody can work.
        """
        neighbours, found, machines = Neighbours(), dict[int, Json](), list[Json]()
        results = self._here(listener) if engine is None else self._spread(engine, listener, machines)
        for number, result in results:
            found[number] = result
            if "skipped" in result:
                listener.skipped(result["skipped"])
        listener.done(len(self.subjects) * len(self.methods), "")
        pictures, skipped = [], []
        for number, subject in enumerate(self.subjects):
            result = found[number]
            if "skipped" in result:
                reason = _nameless(result["skipped"], subject)
                skipped.append({"file": shown(subject.image.name), "reason": reason})
            else:
                figures = {method: result["figures"][method.name] for method in self.methods}
                pictures.append(self._picture(subject, figures))
        document = self._document(pictures, skipped, neighbours)
        if engine is not None:
            document["workers"] = {"count": engine.workers, "machines": machines}
        return document

    def result(self, subject: Subject, listener: Listener, before: int = 0) -> Json:
        """Paint and measure what is missing of a picture.

        Args:
            subject: the picture.
            listener: is told how far it is.
            before: paintings done before these.

        Returns:
            The ``figures`` of each method, or why the picture is ``skipped``.

        Raises:
            OSError: the results cannot be written.
        """
        listener.done(before, subject.name)
        try:
            if subject.problem is not None:
                raise InputError(subject.problem)
            keys = {method: self._store.key(subject, method) for method in self.methods}
            stored = {method: self._store.read(subject, method, keys[method]) for method in self.methods}
            known = self._known(subject) if None in stored.values() else None
        except (ValueError, OSError) as error:
            return {"skipped": shown(" ".join(str(error).split()))}
        figures = {method: found for method, found in stored.items() if found is not None}
        if known is not None:
            self._store.write_target(subject, known.image)
            for count, method in enumerate(self.methods, before):
                if method not in figures:
                    figures[method] = self._paint(subject, known, method, keys[method], listener, count)
        return {"figures": {method.name: figures[method] for method in self.methods}}

    def _here(self, listener: Listener) -> Iterator[tuple[int, Json]]:
        """The result of every picture, by its number, made in this process."""
        for number, subject in enumerate(self.subjects):
            yield number, self.result(subject, listener, number * len(self.methods))

    def _spread(self, engine: Engine, listener: Listener, machines: list[Json]) -> Iterator[tuple[int, Json]]:
        """The same, made by workers, in any order; those machines are added that they are on.

        Raises:
            InputError: a worker cannot write results.
        """
        about = {"strokes": self.settings["strokes"], "seed": self.settings["seed"]}
        methods = [asdict(method) for method in self.methods]
        settings = {
            **about,
            "methods": methods,
            "out": str(self._store.out),
            "lpips": self._lpips is not None,
        }
        items = ({"number": n, **_packed(subject)} for n, subject in enumerate(self.subjects))
        with contextlib.closing(engine):
            for done, outcome in enumerate(engine.run(Work(FACTORY, settings), items)):
                number, result = outcome.item["number"], outcome.result or {"skipped": outcome.error}
                listener.done(done * len(self.methods), self.subjects[number].name)
                if "stop" in result:
                    raise InputError(result["stop"])
                there = result.pop("machine", None)
                if there is not None and there not in machines:
                    machines.append(there)
                yield number, result

    def _known(self, subject: Subject) -> Known:
        """A picture, read and looked at; before the first one, all is done that is done once, off the clock.

        Raises:
            InputError: its file or that of its mask is not usable.
            OSError: one of them cannot be read.
        """
        if not self._warm:
            self._warm = True
            noise = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
            mask = torch.zeros(1, 64, 64, dtype=torch.float32)
            mask[:, 16:48, 16:48] = 1
            guide = Guide()
            guide(noise)  # all that finds objects is loaded, and next all that finds their focus
            guidance = guide.from_mask(noise, mask)
            for agent in {method.agent for method in self.methods}:
                Painter(agent, ALONE, strokes=40, size=64).paint(noise, guidance)
        return Known.of(subject)

    def _paint(
        self, subject: Subject, known: Known, method: Method, key: str, listener: Listener, count: int
    ) -> Json:
        """Paint a picture, the painting number `count`; returns its figures."""

        def tell(stage: str, share: float) -> None:
            listener.done(count + (share if stage == "polish" else 0.0), subject.name)

        painter = self._painters[method]
        guided = method.guided and painter.guided
        guidance = known.guidance if guided else Guidance.none(*known.image.shape[1:])
        painting = painter.paint(known.image, guidance, tell)
        figures = known.facts() | measure(painting, known, guided)
        if self._lpips is not None:
            figures[LPIPS.key] = float(f"{self._lpips(painting.canvas, known.image):.6g}")
        self._store.write(subject, method, key, painting.canvas, figures)
        return figures

    def _picture(self, subject: Subject, figures: dict[Method, Json]) -> Json:
        """The part of the results about one picture."""
        facts = ("width", "height", "mask", "foreground_share", "photo_label", "photo_probability")
        results = {}
        for method in self.methods:
            own = {name: value for name, value in figures[method].items() if name not in facts}
            results[method.name] = own | {"painting": self._store.painting(subject, method)}
        about = {name: figures[self.methods[0]][name] for name in facts}
        files = {"file": shown(subject.image.name), "target": self._store.target(subject)}
        return {"name": subject.name, **files, **about, "results": results}

    def _document(self, pictures: list[Json], skipped: list[Json], neighbours: Neighbours) -> Json:
        return {
            "format": FORMAT,
            "version": 1,
            "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
            "settings": self.settings | self.notes,
            "methods": [self._described(method) for method in self.methods],
            "software": software(),
            "machine": machine(),
            "cores_busy_elsewhere": neighbours.cores(),
            "columns": [asdict(column) for column in self._columns],
            "summary": summarise(pictures, [method.name for method in self.methods], self._columns),
            "skipped": skipped,
            "pictures": pictures,
        }

    def _described(self, method: Method) -> Json:
        guided = method.guided and self._painters[method].guided
        about = asdict(method) | {"agent": PurePath(method.agent).name, "guided": guided}
        digest = agent_digest(method)
        return about | {"sha256": digest} if digest else about


def evaluating(settings: Json) -> Do:
    """What a worker does: it paints and measures one picture after the other.

    Args:
        settings: ``methods``, ``out``, ``strokes``, ``seed`` and ``lpips`` as of `Evaluation`, and
            ``threads``.

    Raises:
        InputError: a method's agent is not usable, or LPIPS cannot be measured.
    """
    use_threads(settings["threads"])
    methods = [Method(**each) for each in settings["methods"]]
    about = {name: settings[name] for name in ("strokes", "seed", "lpips")}
    evaluation = Evaluation([], methods, Path(settings["out"]), **about)
    silent = Listener(lambda count, name: None, lambda reason: None)

    def do(item: Item) -> Json:
        try:
            return evaluation.result(_unpacked(item), silent) | {"machine": machine()}
        except OSError as error:
            return {"stop": told(error)}

    return do


def _packed(subject: Subject) -> Json:
    """A subject as JSON values."""
    return {name: str(value) if isinstance(value, Path) else value for name, value in vars(subject).items()}


def _unpacked(item: Item) -> Subject:
    """What `_packed` has packed."""
    mask = None if item["mask"] is None else Path(item["mask"])
    return Subject(item["name"], item["slug"], Path(item["image"]), mask, item["problem"])


def _nameless(reason: str, subject: Subject) -> str:
    """An error message without the folders of its files."""
    for path in (subject.mask, subject.image):
        if path is not None:
            reason = reason.replace(shown(str(path)), shown(path.name))
    return reason
