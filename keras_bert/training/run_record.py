"""What a run keeps of itself besides its options: inputs, length, and what happened to it."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from keras_bert.atomic import write_json
from keras_bert.command_line import flag
from keras_bert.errors import InputError
from keras_bert.reading import read_json_object

RECORD = "run.json"
_EXTENDED, _CHANGED = "extended", "changed"
# Of a SHA-256, in messages.
_SHOWN_DIGITS = 12


@dataclasses.dataclass(frozen=True)
class Input:
    """What an option names, told by its content.

    Args:
        digest: str or None. Its fingerprint; None where the option names nothing.
        earlier: function or None. Returns the fingerprint that versions without a record took.
    """

    digest: str | None
    earlier: Callable[[], str] | None = None

    def is_what_was(self, digest: str | None, *, by_earlier_version: bool) -> bool:
        """Whether a fingerprint that was written when the run began is of the same content."""
        if digest == self.digest:
            return True
        return by_earlier_version and self.earlier is not None and digest == self.earlier()


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """The content of `run.json`.

    Args:
        inputs: dict. Fingerprints of what the options name, by option; None for one not given.
        total_steps: int or None. Steps that were asked for last.
        events: tuple of dict. Where the run went beyond its end, and what `--allow-changes` let
            through, each with the step at which it was.
    """

    inputs: Mapping[str, str | None]
    total_steps: int | None = None
    events: tuple[dict[str, Any], ...] = ()

    @classmethod
    def read(cls, directory: Path) -> "RunRecord | None":
        """Reads the record of a run; None where there is none, as of earlier versions.

        Raises:
            InputError: If it is damaged.
        """
        path = directory / RECORD
        if not path.exists():
            return None
        values = read_json_object(path)
        try:
            record = cls(dict(values["inputs"]), values["total_steps"], tuple(values["events"]))
            record.history()  # Reads all of them.
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{path}: damaged record of a run: {type(error).__name__}: {error}; without it the "
                "run goes on under the same paths"
            ) from error
        return record

    def write(self, directory: Path) -> None:
        """Writes `run.json`."""
        write_json(directory / RECORD, dataclasses.asdict(self))

    @property
    def extensions(self) -> dict[int, int]:
        """The steps at which the run had ended and went on, with the steps it was to have then."""
        return {e["step"]: e["total_steps"] for e in self.events if e["event"] == _EXTENDED}

    def extended(self, step: int, total_steps: int) -> "RunRecord":
        """Returns the record with an extension at a step, in place of another one there."""
        record = self.not_extended(step)
        event = {"event": _EXTENDED, "step": step, "total_steps": total_steps}
        return dataclasses.replace(record, events=(*record.events, event))

    def not_extended(self, step: int) -> "RunRecord":
        """Returns the record without an extension at a step."""
        others = tuple(e for e in self.events if e["event"] != _EXTENDED or e["step"] != step)
        return dataclasses.replace(self, events=others)

    def changed(self, step: int, changes: list[str]) -> "RunRecord":
        """Returns the record with changes that were let through at a step."""
        event = {"event": _CHANGED, "step": step, "changes": changes}
        if event in self.events:
            return self
        return dataclasses.replace(self, events=(*self.events, event))

    def history(self) -> dict[str, list[dict[str, Any]]]:
        """Returns what `metrics.json` says of the events; nothing where there were none."""
        extended = [{"from": step, "to": total} for step, total in self.extensions.items()]
        changed = [
            {"step": e["step"], "changes": list(e["changes"])}
            for e in self.events
            if e["event"] == _CHANGED
        ]
        found = {"extended": extended, "changed": changed}
        return {name: events for name, events in found.items() if events}


def changes_of_inputs(
    known: Mapping[str, str | None],
    inputs: Mapping[str, Input],
    *,
    by_earlier_version: bool = False,
) -> list[str]:
    """Returns which inputs are others than a run began with, as `what --data names: 1... -> 2...`.

    Args:
        known: Fingerprints of those that it began with.
        inputs: Those of now. What only one of the two has is not compared.
        by_earlier_version: bool. Whether a version without a record began the run.
    """
    return [
        f"what {flag(name)} names: {_shown(known[name])} -> {_shown(inputs[name].digest)}"
        for name in sorted(known.keys() & inputs.keys())
        if not inputs[name].is_what_was(known[name], by_earlier_version=by_earlier_version)
    ]


def _shown(digest: str | None) -> str:
    """Returns a fingerprint as messages show it; other words stay as they are."""
    if digest is None:
        return "nothing"
    is_sha256 = len(digest) == 64 and all(digit in "0123456789abcdef" for digit in digest)
    return f"{digest[:_SHOWN_DIGITS]}..." if is_sha256 else digest
