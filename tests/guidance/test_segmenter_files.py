"""Files of segmenters whose settings make no sense are refused before a network is built."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from semantic_guidance.guidance.segmenter import FORMAT, WEIGHTS, Segmenter, SegmenterConfig

INF, NAN = float("inf"), float("nan")


def changed(path: Path, values: dict[str, Any]) -> Path:
    with safe_open(str(WEIGHTS), framework="pt") as file:
        config = json.loads(file.metadata()["config"])
    tensors = {"mask.bias": load_file(WEIGHTS)["mask.bias"]}  # what is read first are the settings
    config = {"format": FORMAT, **config, **values}
    save_file(tensors, path, {"config": json.dumps(config)})
    return path


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        *(
            ({"widths": bad}, "its widths is ")
            for bad in ([], [8] * 4, [8, 8, 8, 8, 0], "8", None, [1e30] * 5)
        ),
        *(
            ({"scales": bad}, "its scales is ")
            for bad in ([], [0], [31], [10**9], [64] * 17, [64.0], 64, None)
        ),
        ({"zoom_scales": [-64]}, "its zoom_scales is -64"),
        *(({"work_side": bad}, "its work_side is ") for bad in (0, -1, INF, NAN, "512", True, 10**9)),
        *(({"zoom_below": bad}, "its zoom_below is ") for bad in (-0.1, 1.1, INF, NAN, "0.5", True, None)),
        *(({"grabcut_weight": bad}, "its grabcut_weight is ") for bad in (2, NAN, [])),
        ({"grabcut_side": 0}, "its grabcut_side is 0"),
        *(({"threads": bad}, "its threads is ") for bad in (0, -1, 2**40, None)),
        ({"widths": [4096] * 5}, "does not match the network"),
        ({"format": "another"}, "its format is 'another'"),
    ],
)
def test_settings_that_make_no_sense(values: dict[str, Any], wanted: str, tmp_path: Path) -> None:
    path = changed(tmp_path / "a.safetensors", values)
    with pytest.raises(ValueError, match=r"wanted segmenter weights") as refused:
        Segmenter.load(path)
    assert wanted in str(refused.value)
    assert str(refused.value).startswith(f"{path} ")
    assert str(refused.value).isprintable()


def test_settings_that_are_missing_are_the_usual_ones(tmp_path: Path) -> None:
    save_file(
        load_file(WEIGHTS),
        tmp_path / "a.safetensors",
        {"config": '{"format": "semantic-guidance/segmenter"}'},
    )
    assert Segmenter.load(tmp_path / "a.safetensors").config == SegmenterConfig()
