"""Agents by name or in files."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from semantic_guidance.agents.base import Agent
from semantic_guidance.agents.dense import files as dense_files
from semantic_guidance.agents.dense.agent import DenseAgent
from semantic_guidance.agents.ltp import files as ltp_files
from semantic_guidance.agents.ltp.agent import LtpAgent
from semantic_guidance.agents.window import files as window_files
from semantic_guidance.agents.window.agent import WindowAgent
from semantic_guidance.core.plugins import AGENTS
from semantic_guidance.core.weights import Config, is_own, read_config, unreadable

KINDS: dict[str, type[WindowAgent] | type[LtpAgent] | type[DenseAgent]] = {
    window_files.FORMAT: WindowAgent,
    dense_files.FORMAT: DenseAgent,
    ltp_files.FORMAT: LtpAgent,
}


WHAT = "an agent's weights"


def load_agent(agent: str | Path, colors: str | None = None) -> Agent:
    """The agent of that name, or the one in a file.

    Args:
        agent: a name in `AGENTS`, one of our files (``.safetensors``), or a checkpoint of the papers' code.
        colors: in which order of colours such a checkpoint learned, ``rgb`` or ``bgr``, see
            `ltp.checkpoint.load_ltp_actor`; it means nothing to others.

    Raises:
        ValueError: there is no such agent or file, or the file is corrupt or of another kind.
    """
    if str(agent) in AGENTS:
        made: Agent = AGENTS.get(str(agent))()
        return made
    if not Path(agent).is_file():
        wanted = AGENTS.wanted(str(agent))
        raise ValueError(f"agent is {str(agent)!r}, {wanted}, or the file of a trained agent")
    try:
        return _read(Path(agent), colors)
    except ValueError as error:
        raise ValueError(f"agent: {error}") from None


def read_network(path: Path) -> tuple[nn.Module, Config]:
    """The network in one of our files, and the file's config.

    Raises:
        ValueError: the file is missing, corrupt, or holds no agent of ours.
    """
    config = read_config(path, WHAT)
    kind = _kind(path, config)
    if kind is WindowAgent:
        return window_files.load_window_actor(path)[0], config
    if kind is DenseAgent:
        return dense_files.load_dense_actor(path), config
    return ltp_files.load_actor(path).actor, config


def _read(path: Path, colors: str | None) -> Agent:
    if not is_own(path):
        return LtpAgent.load(path, colors)
    return _kind(path, read_config(path, WHAT)).load(path)


def _kind(path: Path, config: Config) -> type[WindowAgent] | type[LtpAgent] | type[DenseAgent]:
    if not isinstance(config.get("format"), str) or config["format"] not in KINDS:
        reason = f"its format is {config['format']!r}" if "format" in config else "it has no 'format'"
        raise unreadable(path, WHAT, ValueError(reason))
    return KINDS[config["format"]]
