"""Networks of a training run in the files of the papers' code.

That code writes, at episode N, ``actor_N.pkl``, ``critic_N.pkl``, ``wgan_N.pkl`` and ``wgan_{N+1}.pkl``,
numbers of five digits, all state dicts of the live networks. The discriminator under N + 1 is that of whole
pictures. The one under N is that of the aligned object; without two levels it is trained on whole pictures,
too, and rewards nothing. Learning to Paint (Huang et al. 2019) has ``actor.pkl``, ``critic.pkl`` and
``wgan.pkl``, of whole pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from semantic_guidance.agents.ltp.checkpoint import ACTOR, read_ltp_network, write_ltp_state
from semantic_guidance.core.weights import State

WIDTH = 64
"""Channels of the first stage of the reference code's actor and critic, which have no other."""

FIRST = 0
"""Number of the episode that the reference code's ``--load_path`` reads."""


def is_ltp_folder(folder: Path) -> bool:
    """Whether the papers' code has written actors to a folder."""
    return bool(_episodes(folder)) or (folder / "actor.pkl").is_file()


def read_ltp_actor(path: Path, colors: str | None = None) -> dict[str, State]:
    """The tensors of an actor's file as a run's network ``actor``.

    Args:
        path: of the file.
        colors: in which order of colours it learned, see `load_ltp_actor`.

    Raises:
        ValueError: the file is missing, corrupt or no state dict.
    """
    return {"actor": read_ltp_network(path, ACTOR, "actor", colors)}


def read_ltp_folder(folder: Path, colors: str | None = None) -> dict[str, State]:
    """The newest networks in a folder of the papers' code, without running code from it.

    Args:
        folder: for which `is_ltp_folder` holds.
        colors: in which order of colours they learned, see `load_ltp_actor`.

    Returns:
        State dicts by a run's names for them: ``actor``, and ``critic``, ``whole_live`` and
        ``foreground_live`` where there are files of them.

    Raises:
        ValueError: a file is corrupt or no state dict.
    """
    episodes = _episodes(folder)
    if episodes:
        names = _names(episodes[-1])
    else:
        names = {"actor": "actor.pkl", "critic": "critic.pkl", "whole_live": "wgan.pkl"}
    return {
        part: read_ltp_network(folder / name, "a checkpoint of the papers' code", part, colors)
        for part, name in names.items()
        if (folder / name).is_file()
    }


def write_ltp_folder(networks: Mapping[str, State], folder: Path) -> list[Path]:
    """Write networks as the reference code does at its first episode, where its ``--load_path`` looks.

    That code wants both discriminators. Where there is none of aligned objects, as without two levels, that
    of whole pictures stands for it: so it does there.

    Args:
        networks: state dicts by a run's names, of which ``actor``, ``critic``, ``whole_live`` and
            ``foreground_live`` are written if they are there.
        folder: made if it is missing.

    Returns:
        The files.

    Raises:
        ValueError: actor or critic are of another width than the reference code's.
        OSError: a file cannot be written.
    """
    known = dict(networks)
    if "whole_live" in known:
        known.setdefault("foreground_live", known["whole_live"])
    for part in ("actor", "critic"):
        weight = known.get(part, {}).get("conv1.weight", known.get(part, {}).get("conv1.weight_v"))
        if weight is not None and weight.shape[:1] != (WIDTH,):
            width = ", ".join(map(str, weight.shape[:1])) or "none"
            raise ValueError(
                f"the {part}'s width is {width}, wanted {WIDTH}: the reference code has no other"
            )
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for part, name in _names(FIRST).items():
        if part in known:
            write_ltp_state(known[part], folder / name)
            written.append(folder / name)
    return written


def _names(episode: int) -> dict[str, str]:
    """The reference code's files by a run's names for the networks."""
    return {
        "actor": f"actor_{episode:05}.pkl",
        "critic": f"critic_{episode:05}.pkl",
        "foreground_live": f"wgan_{episode:05}.pkl",
        "whole_live": f"wgan_{episode + 1:05}.pkl",
    }


def _episodes(folder: Path) -> list[int]:
    """The numbers of its actors, smallest first."""
    words = (path.stem.removeprefix("actor_") for path in folder.glob("actor_*.pkl"))
    numbers = (int(word) for word in words if word.isascii() and word.isdigit())
    return sorted(number for number in numbers if (folder / _names(number)["actor"]).is_file())
