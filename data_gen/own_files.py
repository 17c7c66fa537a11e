"""Files that commands wrote or read for another reason: no text of a corpus."""

import contextlib
import glob
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from keras_bert.errors import InputError
from keras_bert.reading import same_file
from keras_bert.records.manifest import FORMAT, MANIFEST
from keras_bert.text.vocabulary import PAD, UNKNOWN

REPORT_FORMAT = "keras-bert-tf data report"
# What every resolved configuration of a command names, and one of what it reads.
_OUTPUT, _READ = "output", ("input", "data", "model", "init", "source", "directory")
_CONFIG, _REPORT, _UNFINISHED = "config.json", "report.json", ".unfinished"
_LARGEST_CONFIGURATION = 1 << 20


class OwnFiles:
    """Tells the text of a corpus from what commands wrote or read beside it.

    Args:
        outputs: dictionary from flags to the paths that the command will write.
        others: dictionary from flags to files that the command reads for another reason.

    Example:

    ```python
    own = OwnFiles({"--output": "vocab.txt"}, {})
    own.reason(Path("vocab.txt"), b"[PAD]\\n[UNK]\\n")     # "a vocabulary"
    ```
    """

    def __init__(self, outputs: Mapping[str, str], others: Mapping[str, str | None]):
        self._outputs = {flag: Path(path) for flag, path in outputs.items()}
        self._others = {flag: Path(path) for flag, path in others.items() if path}
        self._directories: dict[Path, str | None] = {}

    def reason(self, path: Path, beginning: bytes) -> str | None:
        """Returns what a file is, in words, if it is no text of the corpus.

        Args:
            path: Path.
            beginning: bytes. The first ones of its text.

        Raises:
            InputError: If the command would write over it and no command has written it.
        """
        found = _kind(path, beginning) or self._directory_kind(path)
        for flag, output in self._outputs.items():
            if same_file(path, output):
                if found is None:
                    raise InputError(
                        f"`{flag}` must not be a file of `--input`, which it would replace. "
                        f"Received: {output}"
                    )
                return found
            if output.is_dir() and path.resolve().is_relative_to(output.resolve()):
                return found or f"in the directory of `{flag}`"
        for flag, other in self._others.items():
            if same_file(path, other):
                return f"the file of `{flag}`"
        return found

    def _directory_kind(self, path: Path) -> str | None:
        resolved = path.resolve()
        for parent in resolved.parents:
            if parent not in self._directories:
                self._directories[parent] = _kind_of_directory(parent)
            kind = self._directories[parent]
            if kind == _CLEAN:
                return None if path.name.startswith("text-") else "of `deduplicate`, not its text"
            if kind is not None:
                return kind
        return None


_CLEAN = "clean text"


def _kind(path: Path, beginning: bytes) -> str | None:
    """What a file is, by its content and its companion."""
    lines = beginning.decode("utf-8-sig", errors="replace").split("\n")
    lines = [line.strip() for line in lines]
    if lines[0] == PAD and (UNKNOWN in lines or any("[unused" in line for line in lines[1:3])):
        return "a vocabulary"
    companion = path.with_name(f"{path.name}.config.json")
    if _is_configuration(_read(companion)):
        return "written by a command, as the file beside it says"
    if path.suffix.lower() in (".json", ".yaml", ".yml") and _is_configuration(_read(path)):
        return "the configuration of a command"
    return None


def _kind_of_directory(directory: Path) -> str | None:
    if (directory / _UNFINISHED).is_dir():
        return "in a directory of unfinished shards"
    manifest = _read(directory / MANIFEST)
    if isinstance(manifest, dict) and manifest.get("format") == FORMAT:
        return "in a directory of shards"
    report = _read(directory / _REPORT)
    if isinstance(report, dict) and report.get("format") == REPORT_FORMAT:
        return "in a report"
    configuration = _read(directory / _CONFIG)
    if not _is_configuration(configuration):
        return None
    if isinstance(report, dict) and "paragraphs_written" in report:
        return _CLEAN
    return "in the output of a command"


def _is_configuration(values: Any) -> bool:
    return (
        isinstance(values, dict)
        and isinstance(values.get(_OUTPUT), str)
        and any(isinstance(values.get(name), str) for name in _READ)
    )


def _read(path: Path) -> Any:
    """What a small file of JSON or YAML holds; None where it is none."""
    with contextlib.suppress(OSError, ValueError, RecursionError, yaml.YAMLError):
        if path.is_file() and path.stat().st_size <= _LARGEST_CONFIGURATION:
            text = path.read_text(encoding="utf-8")
            return json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    return None


def sources_of_clean_text(paths: Iterable[Path]) -> Iterator[tuple[Path, Sequence[Path]]]:
    """Yields directories of `deduplicate` that hold some of the files, with what they are from."""
    for directory in sorted({path.resolve().parent for path in paths}):
        if _kind_of_directory(directory) == _CLEAN:
            pattern = _read(directory / _CONFIG).get("input", "")
            if isinstance(pattern, str):
                found = glob.glob(pattern, recursive=True) or glob.glob(glob.escape(pattern))
                yield directory, [Path(path).resolve() for path in found]
