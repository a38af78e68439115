"""Ways to paint a picture: an agent, how much its strokes are refined, and whether it knows the object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.plugins import AGENTS
from semantic_guidance.painter.painter import Painter
from semantic_guidance.painter.presets import PRESETS

ALONE, POLISHED = "draft", "standard"
ALIASES = {"polish": POLISHED}
UNGUIDED = "unguided"


@dataclass(frozen=True)
class Method:
    """One way to paint.

    Attributes:
        name: for people and for files of results, unique among the methods of an evaluation.
        agent: as `Painter` takes it: one of its agents, or a path.
        preset: one of the painter's.
        guided: whether it is told where the object is, if it uses that.
    """

    name: str
    agent: str
    preset: str
    guided: bool

    def painter(self, strokes: int, size: int, seed: int) -> Painter:
        """Who paints this way.

        Raises:
            InputError: the agent's file is not usable, or a number is out of range.
        """
        try:
            return Painter(self.agent, self.preset, strokes=strokes, size=size, seed=seed)
        except ValueError as error:
            raise InputError(f"--methods: {error}") from None


def parse_methods(words: Sequence[str] | None) -> list[Method]:
    """The methods that words like ``planner``, ``planner+fine`` or ``actor.safetensors+polish`` stand for.

    A word is an agent, or an agent, a plus sign and one of the painter's presets; ``polish`` stands for
    ``standard``. An agent without a preset stands for two methods: unrefined (``draft``) and refined
    (``standard``). With ``+unguided`` at its end the agent paints without guidance; some always do.

    Args:
        words: at least one; all agents that ship if None.

    Returns:
        The methods in the order given, each once.

    Raises:
        InputError: a word is none of these.
    """
    parts = [_parts(word) for word in (AGENTS.shipped if words is None else words)]
    names = _short_names({agent for agent, _, _ in parts})
    methods = []
    for agent, presets, guided in parts:
        marked = "" if guided else f"+{UNGUIDED}"
        methods += [Method(f"{names[agent]}+{preset}{marked}", agent, preset, guided) for preset in presets]
    return list(dict.fromkeys(methods))


def _parts(word: str) -> tuple[str, tuple[str, ...], bool]:
    """Agent, presets, and whether it may be guided."""
    agent, guided, preset = word, True, ""
    if not _is_agent(agent):
        head, _, tail = agent.rpartition("+")
        if tail == UNGUIDED:
            agent, guided = head, False
    if not _is_agent(agent):
        head, _, tail = agent.rpartition("+")
        if ALIASES.get(tail, tail) in PRESETS:
            agent, preset = head, ALIASES.get(tail, tail)
    if not _is_agent(agent):
        presets = ", ".join((*PRESETS, *ALIASES))
        raise InputError(
            f"--methods: got {word!r}, wanted AGENT, AGENT+PRESET or AGENT+PRESET+{UNGUIDED}, where AGENT is"
            f" one of {', '.join(AGENTS.names())} or the file of a trained agent, and PRESET one of {presets}"
        )
    return agent, (preset,) if preset else (ALONE, POLISHED), guided


def _is_agent(word: str) -> bool:
    return word in AGENTS or Path(word).is_file()


def _short_names(agents: set[str]) -> dict[str, str]:
    """A name for each agent: its own, or the end of its path without suffix, as long as necessary."""
    names = {agent: agent for agent in agents if agent in AGENTS}
    paths = sorted(agents - names.keys())
    for agent in paths:
        ends = {other: PurePath(other).with_suffix("").parts for other in paths}
        for length in range(1, len(ends[agent]) + 1):
            name = "/".join(ends[agent][-length:])
            others = {"/".join(ends[other][-length:]) for other in paths if other != agent}
            if name not in others and name not in AGENTS:
                break
        else:
            name = agent
        names[agent] = name
    return names
