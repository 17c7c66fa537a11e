"""`python -m data_gen`: vocabularies and pre-training shards from raw text."""

import sys
from collections.abc import Sequence

from keras_bert.interruption import watch

watch(__name__)  # Before the imports that take a while.

from data_gen import options
from keras_bert.command_line import Command, run

COMMANDS = {
    "vocab": Command(
        options.VocabularyOptions,
        "data_gen.vocabulary:learn",
        "Learn a WordPiece vocabulary from text.",
    ),
    "deduplicate": Command(
        options.DeduplicationOptions,
        "data_gen.deduplication:deduplicate",
        "Write a corpus without paragraphs that it has had before.",
    ),
    "pretrain": Command(
        options.PretrainingDataOptions,
        "data_gen.engine:generate",
        "Turn text into pre-training shards.",
    ),
    "verify": Command(
        options.VerifyOptions,
        "data_gen.verification:verify",
        "Read shards whole and check checksums, counts and every field.",
    ),
    "report": Command(
        options.ReportOptions,
        "data_gen.report_writer:write_report",
        "Show what shards hold: numbers, plots and samples on one page.",
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    return run("python -m data_gen", "Pre-training data for BERT.", COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
