"""Models that are loaded and unloaded again and again leave nothing behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

SCRIPT = Path(__file__).with_name("load_cycles.py")
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the system does not tell what a process holds"
)


def growth(way, version, *, warm_up, cycles):
    """How much more memory a fresh process holds after the cycles, as a share."""
    arguments = [way, str(version), str(warm_up), str(cycles)]
    result = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=1200,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
    )
    before, after = json.loads(result.stdout.splitlines()[-1])
    return after / before - 1


def test_changes_of_version_leave_memory_as_it_was(tmp_path):
    # 4 MB of weights in the graph, as exports have them: what stayed of them would be seen.
    weights = np.random.default_rng(0).random((1000, 1000), np.float32)

    def answer(x):
        return {"y": tf.matmul(tf.tile(x, [1, 1000]), weights)}

    spec = tf.TensorSpec([None, 1], tf.float32, name="x")
    function = tf.function(answer).get_concrete_function(x=spec)
    tf.saved_model.save(tf.Module(), str(tmp_path), signatures=function)
    assert growth("server", tmp_path, warm_up=5, cycles=20) < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("way", ["python", "server"])
def test_loads_of_an_export_leave_memory_as_it_was(exported, way):
    assert growth(way, exported / "out" / "1", warm_up=10, cycles=50) < 0.05
