"""A corpus that every machine has: the English documentation of Python and its libraries.

Writes, into the directory given,

    corpus/train.txt, corpus/dev.txt     documents, one for each module, for pre-training
    task/train.jsonl, task/dev.jsonl     passages with the library they come from

Docstrings are read from the source files, nothing is imported. Modules are split between train and
dev as wholes, and a passage that stands in several places is used once, so that dev holds nothing
that was seen in training.

    python examples/library_docs.py DIRECTORY
"""

import ast
import hashlib
import importlib.util
import inspect
import json
import random
import re
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

LIBRARIES = ("python", "numpy", "keras", "tensorflow")
# For each library. Labels are dear: pre-training is what makes a few hundred of them go far.
PASSAGES = {"train": 100, "dev": 150}

# Tests, generated wrappers, and old copies of Keras inside TensorFlow.
_SKIPPED = re.compile(
    r"/(tests?|testing|test_.*|.*_test\.py|gen_.*|site-packages|idlelib|_api)(/|$)"
)
_CODE_OR_TABLE = (">>>", "```", "...", "|", "+-", "==", "--")
_SKIPPED_PARTS = ("/tensorflow/python/keras/", "/tensorflow/lite/", "/legacy/", "/include/")


def library_root(library: str) -> Path:
    if library == "python":
        return Path(sysconfig.get_path("stdlib"))
    return Path(importlib.util.find_spec(library).origin).parent


def docstrings(path: Path) -> Iterator[str]:
    """The docstrings of a file's module, classes and functions, in order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # escapes in other people's strings
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = ast.get_docstring(node, clean=False)
            if text:
                yield inspect.cleandoc(text)


def paragraphs(text: str) -> Iterator[str]:
    """Prose paragraphs in one line each; code, tables and headings are left out."""
    for block in re.split(r"\n\s*\n", text):
        lines = block.split("\n")
        if any(line.lstrip().startswith(_CODE_OR_TABLE) for line in lines):
            continue
        paragraph = " ".join(" ".join(lines).split())
        prose = sum(character.isalpha() or character == " " for character in paragraph)
        if len(paragraph) >= 60 and prose >= 0.8 * len(paragraph):
            yield paragraph


def modules(library: str) -> Iterator[tuple[str, list[str]]]:
    """Name and paragraphs of each documented module."""
    root = library_root(library)
    for path in sorted(root.rglob("*.py")):
        relative = "/" + path.relative_to(root.parent).as_posix()
        if _SKIPPED.search(relative[1 + len(root.name) :]):
            continue
        if any(part in relative for part in _SKIPPED_PARTS):
            continue
        found = [part for text in docstrings(path) for part in paragraphs(text)]
        if found:
            yield relative, found
    if library == "python":
        from pydoc_data.topics import topics

        for topic, text in sorted(topics.items()):
            found = list(paragraphs(text))
            if found:
                yield f"/topics/{topic}", found


def split_of(module: str) -> str:
    """A tenth of the modules is for dev, by a hash of the name."""
    return "dev" if hashlib.sha256(module.encode()).digest()[0] % 10 == 0 else "train"


def collect(directory: Path) -> dict[str, int]:
    """Writes corpus and task; returns counts for the report."""
    documents: dict[str, list[str]] = {"train": [], "dev": []}
    passages: dict[str, dict[str, list[str]]] = {
        split: {library: [] for library in LIBRARIES} for split in documents
    }
    seen: set[str] = set()
    for library in LIBRARIES:
        for module, found in modules(library):
            new = [part for part in found if part not in seen]
            seen.update(new)
            if new:
                documents[split_of(module)].append("\n".join(new))
                passages[split_of(module)][library] += [p for p in new if len(p) >= 100]
    for split, texts in documents.items():
        random.Random(0).shuffle(texts)
        path = directory / "corpus" / f"{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n\n".join(texts) + "\n", encoding="utf-8")
        rows = []
        for library, texts in passages[split].items():
            random.Random(0).shuffle(texts)
            rows += [{"text": text, "label": library} for text in texts[: PASSAGES[split]]]
        random.Random(0).shuffle(rows)
        path = directory / "task" / f"{split}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return {
        "modules": sum(len(texts) for texts in documents.values()),
        "megabytes": round((directory / "corpus" / "train.txt").stat().st_size / 1e6, 1),
        "train_passages": sum(min(len(t), PASSAGES["train"]) for t in passages["train"].values()),
        "dev_passages": sum(min(len(t), PASSAGES["dev"]) for t in passages["dev"].values()),
    }


if __name__ == "__main__":
    print(json.dumps(collect(Path(sys.argv[1]))))
