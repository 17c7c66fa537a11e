"""Writes one version slowly. Run as a script, in a process of its own.

    python write_a_version.py DIRECTORY SECONDS

Prints "writing" when half of it is written, and the version's name at the end.
"""

import sys
import time
from pathlib import Path

from exports.versions import write_version


def write(temporary: Path) -> None:
    (temporary / "first").write_text("1")
    print("writing", flush=True)
    time.sleep(float(sys.argv[2]))
    (temporary / "second").write_text("2")


print(write_version(Path(sys.argv[1]), write).name, flush=True)
