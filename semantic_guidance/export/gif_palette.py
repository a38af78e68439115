"""The 256 colours of a GIF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
from av.filter import Graph

TICKS = Fraction(1, 1000)


class Palette:
    """The 256 colours of a GIF, and frames reduced to them.

    Args:
        width: pixels of the frames.
        height: the same.
        samples: frames of which the colours are chosen, for all frames; each has its own if there are none.
    """

    def __init__(self, width: int, height: int, samples: Iterable[av.VideoFrame]) -> None:
        palette = self._chosen(width, height, samples)
        each = "" if palette is not None else ":new=1"
        self.graph = Graph()
        self.source = _source(self.graph, width, height)
        use = self.graph.add("paletteuse", f"dither=sierra2_4a:diff_mode=rectangle{each}")
        self.sink = self.graph.add("buffersink")
        use.link_to(self.sink)
        if palette is None:
            split = self.graph.add("split")
            choose = self.graph.add("palettegen", "reserve_transparent=1:stats_mode=single")
            self.source.link_to(split)
            split.link_to(use, 0, 0)
            split.link_to(choose, 1, 0)
            choose.link_to(use, 0, 1)
            self.graph.configure()
            return
        given = _source(self.graph, 16, 16)
        self.source.link_to(use, 0, 0)
        given.link_to(use, 0, 1)
        self.graph.configure()
        palette.pts = 0
        given.push(palette)
        given.push(None)

    @staticmethod
    def _chosen(width: int, height: int, samples: Iterable[av.VideoFrame]) -> Any:
        """The colours, as a frame; None if there are no samples."""
        chooser, number = Graph(), -1
        source = _source(chooser, width, height)
        choose, sink = chooser.add("palettegen", "reserve_transparent=1"), chooser.add("buffersink")
        source.link_to(choose)
        choose.link_to(sink)
        chooser.configure()
        for number, sample in enumerate(samples):
            frame: Any = sample if sample.format.name == "bgra" else sample.reformat(format="bgra", threads=1)
            frame.pts, frame.time_base = number, TICKS
            source.push(frame)
        if number < 0:
            return None
        source.push(None)
        return sink.pull()

    def applied(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """The frames that are ready when `frame` has come in."""
        self.source.push(frame)
        return self._ready()

    def rest(self) -> Iterator[av.VideoFrame]:
        """The frames that are ready when no other comes."""
        self.source.push(None)
        return self._ready()

    def _ready(self) -> Iterator[av.VideoFrame]:
        while True:
            try:
                ready: Any = self.sink.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            yield ready


def _source(graph: Graph, width: int, height: int) -> Any:
    form: Any = "bgra"
    return graph.add_buffer(width=width, height=height, format=form, time_base=TICKS)
