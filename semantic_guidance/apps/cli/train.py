"""``semantic-guidance train``: an agent learns to paint."""

from __future__ import annotations

import argparse
import os

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.shown import printable

SUMMARY = "teach an agent to paint, as the papers do"
SMALLER = "smaller --batch-size, --nenv, --rmsize, --canvas-size or --width"

EXAMPLES = """examples:
  semantic-guidance train --dataset cub200 --data DIR --batch_size=96 --max_eps_len=50 --bundle_size=5 \\
      --use_bilevel --use_gbp --exp_suffix semantic
  semantic-guidance train --dataset folder --data photographs --canvas_size 64 --width 16 --nenv 16
  semantic-guidance train --method apg --dataset folder --data photographs --bank pictures.npz \\
      --use_bilevel --use_gbp --minutes 50
  semantic-guidance train --resume model/cub200/semantic
  semantic-guidance train --resume model/cub200/semantic/checkpoints/00000200 --batch_size 48 --rmsize 400
  semantic-guidance train --dataset cub200 --data DIR --use_bilevel --use_gbp --load_path REFERENCE_FOLDER \\
      --compositing seed --renderer neural --renderer_weights renderer.pkl --critic_target seed
  semantic-guidance train --config model/cub200/semantic/config.toml --exp_suffix again --seed 1
  torchrun --nproc-per-node 2 -m semantic_guidance train --dataset cub200 --data DIR"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: one for each field of the configuration."""
    from semantic_guidance.apps.cli.flags import add_config_flag, add_flags
    from semantic_guidance.apps.cli.ltp_flags import add_ltp_flags
    from semantic_guidance.learning.config import APG_ALONE, DDPG_ALONE, settings

    parser.description = (
        "Trains a painting agent by model-based DDPG, or by the gradient through the renderer alone\n"
        "(--method apg), in far fewer updates. The defaults are those of the reference code, but for\n"
        "--max-eps-len: 50 as in its README, where its code has 40. Writes to OUTPUT/DATASET/EXP_SUFFIX:\n"
        "checkpoints, actor.safetensors, log.jsonl, log for TensorBoard, and config.toml (config.json), all\n"
        "settings, for --config. On SIGTERM or Ctrl-C the episode under way is finished and saved; a second\n"
        "one ends it at once. --resume goes on, with the run's own settings where no flag says otherwise:\n"
        "data, rates, batches, memory, processes, intervals and device may be others."
    )
    parser.epilog = EXAMPLES
    add_config_flag(parser)
    sections = {
        None: {item.name for item in settings()} - DDPG_ALONE - APG_ALONE,
        "with --method ddpg": DDPG_ALONE,
        "with --method apg": APG_ALONE,
    }
    for title, known in sections.items():
        place = parser if title is None else parser.add_argument_group(title)
        add_flags(place, [item for item in settings() if item.name in known], over_file=True)
    add_ltp_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Train; returns the exit status."""
    from semantic_guidance.apps.cli.flags import of_flag, with_config
    from semantic_guidance.apps.cli.ltp_flags import tell_of_ltp_flags
    from semantic_guidance.learning.config import MEANINGLESS, PARTS, make_config
    from semantic_guidance.learning.memory import fitting
    from semantic_guidance.learning.run.loop import DivergedError, train
    from semantic_guidance.learning.run.resume import completed

    tell_of_ltp_flags(args)
    in_file, given = with_config(args, PARTS)
    values = {**in_file, **given}
    try:
        make_config(**in_file)
    except ValueError as error:
        raise InputError(f"{args.config}: {error}") from None
    values = completed(values)
    try:
        method = make_config(**values).learn.method
    except ValueError as error:
        raise of_flag(error) from None
    if idle := sorted(given.keys() & MEANINGLESS[method]):
        raise InputError(f"--{idle[0].replace('_', '-')}: means nothing to --method {method}")
    try:
        with fitting("--batch-size, --nenv, --width"):
            folder = train(**values)
    except DivergedError as error:
        raise InputError(str(error)) from None
    if os.environ.get("RANK", "0") == "0":  # of several processes, only the first one prints
        print(printable(folder))
    return 0
