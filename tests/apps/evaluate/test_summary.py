"""Means, ratios and the best of them, worked out by hand."""

from __future__ import annotations

import pytest

from semantic_guidance.apps.evaluate.columns import COLUMNS, Column
from semantic_guidance.apps.evaluate.summary import summarise

NUMBER = Column("mse", "error", "")
SHARE = Column("x", "x", "", better="higher", kind="share")


def picture(**figures: tuple[object, object]) -> dict[str, object]:
    """A picture with figures of the methods a and b; those not given are 1."""
    results = {
        method: {c.key: figures.get(c.key, (1, 1))[n] for c in COLUMNS} for n, method in enumerate("ab")
    }
    return {"results": results}


def test_means_medians_and_ratios():
    pictures = [
        picture(mse=(1.0, 4.0), mse_foreground=(None, None), top1=(True, False)),
        picture(mse=(2.0, 1.0), mse_foreground=(3.0, 6.0), top1=(True, True)),
        picture(mse=(6.0, 1.0), mse_foreground=(5.0, None), top1=(False, False)),
    ]
    summary = summarise(pictures, ["a", "b"])
    means, ratios = summary["methods"], summary["ratios"]
    assert means["a"]["mse"] == {"mean": 3.0, "median": 2.0, "pictures": 3}
    assert means["b"]["mse"] == {"mean": 2.0, "median": 1.0, "pictures": 3}
    assert means["a"]["mse_foreground"] == {"mean": 4.0, "median": 4.0, "pictures": 2}
    assert means["a"]["top1"]["mean"] == pytest.approx(2 / 3, rel=1e-5)
    assert ratios["a"]["b"]["mse"] == {"of_means": 1.5, "median": 2.0}  # of 1/4, 2 and 6
    assert ratios["b"]["a"]["mse"]["of_means"] == pytest.approx(2 / 3, rel=1e-5)
    assert ratios["a"]["b"]["mse_foreground"] == {"of_means": 0.5, "median": 0.5}  # the one that both have
    assert not {"ssim", "top1", "seconds_polish"} & ratios["a"]["b"].keys()
    assert "a" not in ratios["a"]


def test_nothing_is_divided_by_zero():
    summary = summarise([picture(mse=(1.0, 0.0), mse_foreground=(None, None))], ["a", "b"])
    assert summary["ratios"]["a"]["b"]["mse"] == {"of_means": None, "median": None}
    assert summary["ratios"]["b"]["a"]["mse"] == {"of_means": 0.0, "median": 0.0}
    assert summary["methods"]["a"]["mse_foreground"] == {"mean": None, "median": None, "pictures": 0}
    assert summarise([], ["a"])["methods"]["a"]["mse"]["mean"] is None


def test_the_best():
    assert NUMBER.best({"a": 0.1, "b": 0.2, "c": None}) == {"a"}
    assert NUMBER.best({"a": 0.010001, "b": 0.010002, "c": 0.3}) == {"a", "b"}  # one reads the same
    assert NUMBER.best({"a": 0.010001, "b": 0.010002}) == set()
    assert NUMBER.best({"a": None, "b": None}) == set()
    assert SHARE.best({"a": 0.1, "b": 0.2}) == {"b"}
    assert Column("s", "s", "", kind="seconds", part=True).best({"a": 1.0, "b": 2.0}) == set()


def test_figures_as_text():
    flag = Column("f", "f", "", better="higher", kind="flag")
    assert [NUMBER.shown(value) for value in (0.00412, 0.5, 0, None)] == ["0.00412", "0.500", "0.00000", "–"]
    assert [flag.shown(value) for value in (True, False, None)] == ["yes", "no", "–"]
    assert flag.shown_mean(0.375) == "38 %"
    assert Column("s", "s", "", kind="seconds").shown(1.234) == "1.23"
