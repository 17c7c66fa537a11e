"""Is the tokenizer equal to the reference, on every line of any files?

    python benchmarks/exactness.py --vocab vocab.txt --input 'texts/**/*' [--cased]
        [--against oracle|model_garden] [--processes N]

`oracle` compares `BertTokenizer` (ids, offsets) with the rules in plain Python that the tests use,
`model_garden` those rules with `FullTokenizer` of `tf-models-official`, the reference itself; run
it in an environment that has that package. Differences are printed; the exit code is 1 if there
are any.
"""

import argparse
import multiprocessing
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import texts

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.keras_bert.text import reference_tokenizer

# Of one call; longer lines (a JSON file is one) are cut.
CHARACTERS = 200_000


def compare_with_oracle(vocabulary: str, lowercase: bool):
    from keras_bert.text.tokenizer import BertTokenizer

    tokenizer = BertTokenizer.from_vocabulary(vocabulary, lowercase=lowercase)
    tokens = tokenizer.vocabulary.tokens
    known = frozenset(tokens)

    def compare(lines: list[str]) -> list[str]:
        ids, starts, ends = (part.to_list() for part in tokenizer.tokenize_with_offsets(lines))
        plain = tokenizer(lines).to_list()
        different = []
        for line, row, row_starts, row_ends, again in zip(
            lines, ids, starts, ends, plain, strict=True
        ):
            expected = reference_tokenizer.tokenize_with_offsets(line, known, lowercase)
            got = list(zip([tokens[i] for i in row], row_starts, row_ends, strict=True))
            if got != expected or row != again:
                different.append(line)
        return different

    return compare


def compare_with_model_garden(vocabulary: str, lowercase: bool):
    from official.nlp.tools.tokenization import FullTokenizer

    tokenizer = FullTokenizer(vocab_file=vocabulary, do_lower_case=lowercase)
    known = frozenset(tokenizer.vocab)

    def compare(lines: list[str]) -> list[str]:
        return [
            line
            for line in lines
            if tokenizer.tokenize(line) != reference_tokenizer.tokenize(line, known, lowercase)
        ]

    return compare


COMPARISONS = {"oracle": compare_with_oracle, "model_garden": compare_with_model_garden}


def initialize(against: str, vocabulary: str, lowercase: bool) -> None:
    global compare
    compare = COMPARISONS[against](vocabulary, lowercase)


def batches(lines: Iterable[str]) -> Iterator[list[str]]:
    batch, size = [], 0
    for line in lines:
        for start in range(0, max(len(line), 1), CHARACTERS):
            batch.append(line[start : start + CHARACTERS])
            size += len(batch[-1]) + 1
            if size >= CHARACTERS:
                yield batch
                batch, size = [], 0
    yield batch


def run(lines: list[str]) -> tuple[int, list[str]]:
    return len(lines), compare(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--vocab", required=True)
    parser.add_argument("--input", required=True, nargs="+")
    parser.add_argument("--cased", action="store_true")
    parser.add_argument("--against", choices=sorted(COMPARISONS), default="oracle")
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    settings = (arguments.against, arguments.vocab, not arguments.cased)
    count, different = 0, []
    context = multiprocessing.get_context("spawn")
    with context.Pool(arguments.processes, initialize, settings) as pool:
        for lines, found in pool.imap(run, batches(texts.lines(arguments.input))):
            count += lines
            different += found
    print(f"{arguments.against}: {count} lines, {len(different)} different")
    for line in different[:20]:
        print(f"  {line[:300]!r}")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
