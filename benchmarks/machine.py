"""The line that says where a number was measured."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def line() -> str:
    """Processor, cores, load and the versions that matter."""
    processor = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        for row in information.read_text().splitlines():
            if row.startswith("model name"):
                processor = row.split(":", 1)[1].strip()
                break
    packages = ("tensorflow", "tensorflow-text", "keras", "keras-hub")
    versions = ", ".join(filter(None, map(_version, packages)))
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{processor}, {os.cpu_count()} cores{load}; Python {platform.python_version()}, {versions}"
    )


def _version(package: str) -> str:
    """Empty where the package is not installed, as beside a peer."""
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return ""
