"""The whole path on the documentation that Python and its libraries bring along.

    python examples/quickstart.py [DIRECTORY]

Collects documents, learns a vocabulary, writes shards, pre-trains a small BERT, fine-tunes it to
tell from which library a passage comes, does the same from random weights, exports a SavedModel
and asks it in a fresh process. At most ten minutes on two CPU cores, no download. Every step is a
command that you can run on text of your own; it is printed before it runs.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import library_docs

ROOT = Path(__file__).parents[1]
SEQUENCE_LENGTH = "64"
VOCABULARY_SIZE = 6000
# The smallest sizes need larger initial weights than the paper's .02, or attention learns nothing
# for very long; in ten minutes no example is seen often enough for dropout to help.
MODEL = {
    "vocabulary_size": VOCABULARY_SIZE,
    "num_layers": 2,
    "hidden_dim": 128,
    "num_heads": 2,
    "intermediate_dim": 512,
    "max_sequence_length": int(SEQUENCE_LENGTH),
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "initializer_range": 0.05,
}
PRETRAINING = {
    "--steps": "2500",
    "--batch-size": "64",
    "--max-predictions": "10",
    "--learning-rate": "1.5e-3",
    "--warmup-steps": "400",
    "--log-steps": "100",
}
FINETUNING = {"--epochs": "15", "--learning-rate": "5e-4", "--sequence-length": SEQUENCE_LENGTH}


def run(title: str, *arguments: str) -> None:
    """Prints a command and runs it; ends the script if it fails."""
    print(f"\n── {title}\n$ {shlex.join(['python', *arguments])}", flush=True)
    started = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    result = subprocess.run([sys.executable, *arguments], env=environment, check=False)
    if result.returncode:
        sys.exit(f"{title} failed with exit code {result.returncode}")
    print(f"   {time.perf_counter() - started:.0f} s", flush=True)


def flags(options: dict[str, str]) -> list[str]:
    return [part for option in options.items() for part in option]


def main() -> None:
    directory = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/quickstart")
    if directory.exists():
        if not (directory / "quickstart.json").exists():
            sys.exit(f"{directory} exists and was not made by the quick start; name another")
        shutil.rmtree(directory)
    directory.mkdir(parents=True)
    (directory / "quickstart.json").write_text("{}\n")
    started = time.perf_counter()

    print("── collect documents", flush=True)
    counts = library_docs.collect(directory)
    print(
        f"   {counts['modules']} modules, {counts['megabytes']} MB for pre-training; "
        f"{counts['train_passages']} passages to fine-tune on, {counts['dev_passages']} of other "
        "modules to measure on"
    )
    corpus, vocabulary = directory / "corpus", str(directory / "vocab.txt")
    run(
        "learn a vocabulary",
        *("-m", "data_gen", "vocab", "--input", str(corpus / "train.txt")),
        *("--output", vocabulary, "--size", str(VOCABULARY_SIZE)),
    )
    for split in ("train", "dev"):
        run(
            f"write pre-training shards: {split}",
            *("-m", "data_gen", "pretrain", "--input", str(corpus / f"{split}.txt")),
            *("--vocab", vocabulary, "--output", str(directory / "shards" / split)),
            *("--sequence-length", SEQUENCE_LENGTH, "--partition-bytes", "4000000"),
        )
    pretrained, model = directory / "pretrained", directory / "model.json"
    model.write_text(json.dumps(MODEL, indent=2) + "\n")
    run(
        "pre-train",
        *("-m", "keras_bert", "pretrain", "--data", str(directory / "shards" / "train")),
        *("--validation", str(directory / "shards" / "dev"), "--output", str(pretrained)),
        *("--model", str(model), "--bias-correction", *flags(PRETRAINING)),
    )
    for name, extra in (("finetuned", []), ("from_random", ["--random-weights"])):
        run(
            "fine-tune" + (" from random weights, for comparison" if extra else ""),
            *("-m", "keras_bert", "finetune", "--task", "classification"),
            *("--data", str(directory / "task"), "--init", str(pretrained / "model")),
            *("--output", str(directory / name), *flags(FINETUNING), *extra),
        )
    run(
        "export",
        *("-m", "exports", "savedmodel", "--model", str(directory / "finetuned" / "model")),
        *("--output", str(directory / "exported")),
    )
    rows = [json.loads(line) for line in (directory / "task" / "dev.jsonl").open()][:6]
    print(f"\n   The right answers: {', '.join(row['label'] for row in rows)}")
    run(
        "ask the export in a fresh process",
        *(str(Path(__file__).with_name("answer.py")), str(directory / "exported" / "1")),
        *(row["text"] for row in rows),
    )
    report(directory, time.perf_counter() - started)


def report(directory: Path, seconds: float) -> None:
    """Prints what was reached and where everything lies."""
    metrics = {
        name: json.loads((directory / name / "metrics.json").read_text())
        for name in ("pretrained", "finetuned", "from_random")
    }
    before, after = metrics["pretrained"]["before"], metrics["pretrained"]["after"]
    print(f"\n── report ({seconds:.0f} s)\n\nOn modules that were not trained on:")
    for name, text in (
        ("masked_lm_loss", "masked language model loss"),
        ("masked_lm_accuracy", "masked language model accuracy"),
        ("next_sentence_loss", "next sentence loss"),
        ("next_sentence_accuracy", "next sentence accuracy"),
    ):
        print(f"  {text:<32} {before[name]:7.3f} → {after[name]:.3f}")
    for name, text in (
        ("finetuned", "library told, pre-trained"),
        ("from_random", "library told, from random weights"),
    ):
        print(f"  {text:<42} {metrics[name]['dev']['accuracy']:.3f}")
    print("\nArtefacts:")
    for path, text in (
        ("corpus", "documents"),
        ("vocab.txt", "vocabulary"),
        ("shards", "pre-training shards with manifests"),
        ("pretrained/model", "pre-trained model, Hugging Face layout"),
        ("finetuned/model", "fine-tuned model"),
        ("exported/1", "SavedModel"),
    ):
        print(f"  {directory / path!s:<40} {text}")
    print(f"\nCurves:\n  .venv/bin/tensorboard --logdir {directory}")


if __name__ == "__main__":
    main()
