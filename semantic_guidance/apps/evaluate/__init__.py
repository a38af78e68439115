"""Comparing ways to paint on a folder of pictures: what `semantic-guidance evaluate` does.

`methods` says who paints, `subjects` what; `run` paints, `measure` measures, `store` keeps both; `columns`
names the figures, `summary` takes means and ratios, `tables` and `page` write the results down; `published`
compares with published paintings, `held_out` takes the pictures of a data set.
"""

from __future__ import annotations

from semantic_guidance.apps.evaluate.methods import Method, parse_methods
from semantic_guidance.apps.evaluate.published import published_subjects, read_published
from semantic_guidance.apps.evaluate.run import Evaluation, Listener
from semantic_guidance.apps.evaluate.subjects import Subject, find_subjects
from semantic_guidance.apps.evaluate.tables import OUTPUTS, check_folder, write_results

__all__ = [
    "OUTPUTS",
    "Evaluation",
    "Listener",
    "Method",
    "Subject",
    "check_folder",
    "find_subjects",
    "parse_methods",
    "published_subjects",
    "read_published",
    "write_results",
]
