"""The options of a run, and in what they differ from those that it began with."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from keras_bert.command_line import flag
from keras_bert.errors import InputError

# Options that change neither the numbers nor where they are written.
_FREE_OPTIONS = (
    *("output", "checkpoint_steps", "keep_checkpoints", "skip_limit", "allow_changes"),
    *("sample_steps", "histograms", "profile_steps"),
)


def binding(options: dict[str, Any], ignored: Collection[str] = ()) -> dict[str, Any]:
    """Returns the options that a run is bound to, but for those that are ignored."""
    return {n: value for n, value in options.items() if n not in _FREE_OPTIONS and n not in ignored}


def earlier_options(path: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Reads the options that were written when a run began.

    Args:
        path: The file.
        options: dict. Those of now.

    Raises:
        InputError: If it is damaged or of something else than such a run.
    """
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: damaged configuration of a run: {error}") from error
    # Versions have few options that others have not; another command shares less than half.
    if not isinstance(earlier, dict) or 2 * len(earlier.keys() & options) < len(earlier):
        raise InputError(f"{path}: not the configuration of such a run; choose another --output")
    return earlier


def changes_of_options(
    earlier: dict[str, Any],
    options: dict[str, Any],
    defaults: dict[str, Any],
    *,
    ignored: Collection[str] = (),
) -> list[str]:
    """Returns which options that matter differ from those a run began with, as `--seed: 1 -> 2`.

    An option that the run's version did not know had what is now its default, or another name.

    Args:
        earlier: dict. The options that were written when the run began.
        options: dict. Those of now.
        defaults: dict. The defaults of now; an option without one is not compared with a run that
            did not know it.
        ignored: Names of options that may differ.
    """
    earlier, options = binding(earlier, ignored), binding(options, ignored)
    lost = [value for name, value in earlier.items() if name not in options]
    changes = []
    for name, value in sorted(options.items()):
        if name in earlier:
            if earlier[name] != value:
                changes.append(f"{flag(name)}: {earlier[name]} -> {value}")
        elif value != defaults.get(name, value) and value not in lost:
            changes.append(f"{flag(name)}: {defaults[name]} -> {value}")
    return changes


def lost_options(
    earlier: dict[str, Any], options: dict[str, Any], known_defaults: dict[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Finds what an earlier version was told and this one does not know.

    Args:
        earlier: dict. The options that were written when the run began.
        options: dict. Those of now.
        known_defaults: dict. The defaults of the version that began the run.

    Returns:
        The options, and which of them were no defaults, as `--stride: 4 -> no option`.
    """
    lost = {name: v for name, v in earlier.items() if name not in options}
    unknown = object()
    new = [v for name, v in options.items() if name not in earlier]
    changes = [
        f"{flag(name)}: {value} -> no option"
        for name, value in lost.items()
        if name not in _FREE_OPTIONS
        and known_defaults.get(name, unknown) not in (unknown, value)
        and value not in new
    ]
    return lost, changes
