"""The example files of clusters: what Ray, Kubernetes and shells can read, with commands that are ours."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from semantic_guidance.apps.batch.options import BatchOptions
from semantic_guidance.apps.cli import paint
from semantic_guidance.apps.cli.flags import flag_values
from semantic_guidance.apps.cli.main import Parser

ROOT = Path(__file__).parents[3]
FILES = ROOT / "examples" / "cluster"


def commands(text: str) -> list[BatchOptions]:
    """What the command lines in a text ask for, with numbers in place of a queue's."""
    text = text.replace("\\\n", " ")
    for name, value in {
        "$((JOB_COMPLETION_INDEX + 1))": "3",
        "$SLURM_CPUS_PER_TASK": "4",
        "$SLURM_ARRAY_TASK_ID": "3",
        "$SLURM_ARRAY_TASK_COUNT": "64",
    }.items():
        text = text.replace(name, value)
    found = []
    for line in re.findall(r"semantic-guidance (paint [^\n]*)", text):
        parser = Parser()
        paint.add_arguments(parser)
        found.append(BatchOptions(**flag_values(parser.parse_args(shlex.split(line)[1:]), BatchOptions)))
    assert found
    return found


def test_slurm():
    text = (FILES / "slurm.sh").read_text()
    assert subprocess.run(["bash", "-n", str(FILES / "slurm.sh")], check=False).returncode == 0
    (options,) = commands(text)
    assert options.shard == (3, 64)
    assert re.search(r"--array=1-(\d+)", text)[1] == "64"


def test_kubernetes():
    job = yaml.safe_load((FILES / "kubernetes-shards.yaml").read_text())
    (container,) = job["spec"]["template"]["spec"]["containers"]
    (options,) = commands(container["command"][-1])
    assert options.shard == (3, job["spec"]["completions"])
    assert (job["kind"], job["spec"]["completionMode"]) == ("Job", "Indexed")
    assert str(options.workers) == container["resources"]["requests"]["cpu"]


def test_kuberay():
    job = yaml.safe_load((FILES / "kubernetes-ray.yaml").read_text())
    (options,) = commands(job["spec"]["entrypoint"])
    (group,) = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    (container,) = group["template"]["spec"]["containers"]
    assert options.ray == "auto"
    assert options.workers == group["maxReplicas"] * int(container["resources"]["requests"]["cpu"])
    lock = (ROOT / "requirements" / "cluster.lock").read_text()
    assert f"ray=={job['spec']['rayClusterSpec']['rayVersion']} " in lock


def test_ray():
    text = (FILES / "ray.yaml").read_text()
    cluster = yaml.safe_load(text)
    painter = cluster["available_node_types"]["worker"]
    (options,) = commands(text.replace('"', "\n"))
    assert options.ray == "auto"
    assert options.workers == painter["max_workers"] * painter["resources"]["CPU"]
    if find_spec("ray") is None:
        pytest.skip("Ray, which has the schema of such files, is not installed (make test-long installs it)")
    validate = pytest.importorskip("jsonschema").validate
    schema = Path(find_spec("ray").origin).parent / "autoscaler" / "ray-schema.json"
    validate(cluster, json.loads(schema.read_text()))


def test_the_page_has_the_figures_that_were_measured():
    page = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    made = runpy.run_path(str(ROOT / "docs" / "make_scaling.py"))
    assert made["filled"](page) == page, "run: python docs/make_scaling.py"
