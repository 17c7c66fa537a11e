"""Loads, asks and unloads a model again and again. Run as a script, in a process of its own.

    python load_cycles.py (python | server) VERSION_DIRECTORY WARM_UP CYCLES

Prints how many bytes the process holds after the first cycles, and after the others.
"""

import asyncio
import gc
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

TEXTS = ["the dog ran away", "", "Café!", "word " * 60]


def held() -> int:
    """Bytes of memory, without the files mapped in it, which the system drops as it likes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


async def in_python(version: Path, cycles: int) -> int:
    """Each cycle loads the model and lets it go; with none loaded, what is held is told."""
    import tensorflow_text  # noqa: F401 - registers its operations

    for _ in range(cycles):
        signatures = tf.saved_model.load(str(version)).signatures
        for function in signatures.values():
            function(**_inputs(function.structured_input_signature[1]))
        # A model in memory refers to itself.
        del signatures, function
        gc.collect()
    return held()


async def in_the_server(version: Path, cycles: int) -> int:
    """Each cycle is a new version, which takes over from the one before and stays loaded."""
    from exports.serving.versions import State, Versions

    with tempfile.TemporaryDirectory() as directory:
        versions = Versions(Path(directory))
        for number in range(1, cycles + 1):
            os.symlink(version, Path(directory, str(number)))
            await versions.refresh()
            with versions.use() as loaded:
                assert loaded.number == number
                for name in loaded.signature_definitions:
                    if not name.startswith("__"):
                        signature = loaded.signature(name)
                        await asyncio.to_thread(signature.run, _inputs(signature.inputs))
            del loaded, signature
            while number > 1 and versions.statuses[number - 1].state != State.END:
                await asyncio.sleep(0.01)
        return held()


def _inputs(specs) -> dict[str, np.ndarray]:
    return {
        name: np.array(TEXTS, object)
        if spec.dtype == tf.string
        else np.ones([size or 2 for size in spec.shape], spec.dtype.as_numpy_dtype)
        for name, spec in specs.items()
    }


async def main() -> None:
    way, version, *counts = sys.argv[1:]
    cycle = {"python": in_python, "server": in_the_server}[way]
    figures = []
    for count in counts:
        figures.append(await cycle(Path(version).resolve(), int(count)))
    print(json.dumps(figures))


if __name__ == "__main__":
    asyncio.run(main())
