"""Who makes the first strokes, as a person asks for it."""

from __future__ import annotations

from semantic_guidance.agents.base import Agent
from semantic_guidance.agents.files import load_agent
from semantic_guidance.apps.options import PainterOptions
from semantic_guidance.core.options import OptionError
from semantic_guidance.core.plugins import AGENTS


def chosen_agent(said: PainterOptions) -> str | Agent | None:
    """The agent's name or file, or itself if it matters in which colours it learned; None if nothing is said.

    Raises:
        OptionError: the colours are given, but no file of an agent.
        ValueError: the file cannot be read, or holds no agent.
    """
    if said.agent_colors is None:
        return said.agent
    if said.agent is None or said.agent in AGENTS:
        raise OptionError("agent_colors", "it is about the file of an agent, wanted --agent FILE with it")
    return load_agent(said.agent, said.agent_colors)
