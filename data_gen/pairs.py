"""Pairs of segments: next-sentence prediction (BERT) and sentence order (ALBERT)."""

import bisect
import dataclasses
import random
from collections.abc import Iterator

from data_gen.documents import TokenizedDocuments
from data_gen.examples import Example, Objective, Piece

_TRIES = 10


@dataclasses.dataclass(frozen=True)
class _Pairs(Objective):
    """Cuts documents into chunks of sentences and each chunk into two segments.

    Sentences are gathered until the target length is reached; the chunk is cut at a random sentence
    boundary. A chunk of one sentence always gets a random partner. A pair that is too long loses
    tokens one by one, from its longer side, at the front or at the end with equal chances.
    """

    short_sequence_probability: float = 0.1

    makes_pairs = True
    special_tokens = 3  # [CLS] and two [SEP]

    def __call__(self, documents: TokenizedDocuments, rng: random.Random) -> Iterator[Example]:
        # Lists, because single elements of arrays are slow.
        sentences = documents.sentence_starts.tolist()
        bounds = documents.document_starts.tolist()
        for document in range(len(documents)):
            target = self.target_length(rng)
            place, end = bounds[document], bounds[document + 1]
            while place < end:
                # The sentence with which the chunk reaches its target is its last one.
                after = bisect.bisect_left(sentences, sentences[place] + target, place + 1, end)
                cut = place + 1 if after == place + 1 else rng.randint(place + 1, after - 1)
                first = (sentences[place], sentences[cut])
                second, label = (sentences[cut], sentences[after]), 1
                if after == place + 1:
                    second = None
                else:
                    first, second, label = self._pair(first, second, rng)
                # What a random partner displaces goes back to the front of the text.
                place = cut if second is None else after
                if second is None:
                    length = target - (first[1] - first[0])
                    second = _random_piece(sentences, bounds, document, length, rng)
                excess = first[1] - first[0] + second[1] - second[0] - self.longest
                pieces = trim(first, second, excess, rng) if excess > 0 else (first, second)
                yield Example(pieces, label, target < self.longest, max(excess, 0))

    def _pair(
        self, first: Piece, second: Piece, rng: random.Random
    ) -> tuple[Piece, Piece | None, int]:
        """Returns the segments and the label; None for a random second segment."""
        raise NotImplementedError


class NextSentencePairs(_Pairs):
    """BERT's next-sentence prediction.

    The second segment stays with probability one half; otherwise a random place of another document
    takes its place, and the unused sentences go back to the front of the text.

    Args:
        sequence_length: int. Most tokens of an example, special tokens counted.
        short_sequence_probability: float.

    Example:

    ```python
    pairs = NextSentencePairs(sequence_length=128)
    examples = list(pairs(documents, random.Random(12345)))
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, appendix A.2; `create_instances_from_document` in
          `create_pretraining_data.py` of google-research/bert.
    """

    def _pair(self, first, second, rng):
        return (first, None, 1) if rng.random() < 0.5 else (first, second, 0)


class SentenceOrderPairs(_Pairs):
    """ALBERT's sentence-order prediction.

    With probability one half the two segments change places. As in the reference, a chunk of one
    sentence gets a random partner, with the label of a swapped pair.

    Args:
        sequence_length: int. Most tokens of an example, special tokens counted.
        short_sequence_probability: float.

    Example:

    ```python
    pairs = SentenceOrderPairs(sequence_length=512)
    examples = list(pairs(documents, random.Random(12345)))
    ```

    References:
        - Lan et al. 2020, arXiv:1909.11942, section 3.1; `create_pretraining_data.py` of
          google-research/albert.
    """

    def _pair(self, first, second, rng):
        return (second, first, 1) if rng.random() < 0.5 else (first, second, 0)


def _random_piece(
    sentences: list[int], bounds: list[int], document: int, target: int, rng: random.Random
) -> Piece:
    """Sentences from a random place of another document, until `target` tokens."""
    for _ in range(_TRIES):
        other = rng.randint(0, len(bounds) - 2)
        if other != document:
            break
    start = rng.randint(bounds[other], bounds[other + 1] - 1)
    end = bisect.bisect_left(sentences, sentences[start] + target, start + 1, bounds[other + 1])
    return sentences[start], sentences[end]


def trim(first: Piece, second: Piece, excess: int, rng: random.Random) -> tuple[Piece, Piece]:
    """Takes `excess` tokens away, one by one from the longer side.

    Which side loses how many follows from the lengths alone (of equal ones the second loses); how
    many of them at the front is a number of heads among so many tosses of a coin.

    Example:

    ```python
    trim((0, 100), (200, 205), 75, random.Random(0))     # 25 of the first, all of the second
    ```
    """
    lengths = first[1] - first[0], second[1] - second[0]
    difference = min(abs(lengths[0] - lengths[1]), excess)
    alternating = excess - difference
    cuts = [alternating // 2, alternating - alternating // 2]
    cuts[0 if lengths[0] > lengths[1] else 1] += difference
    return _cut(first, cuts[0], rng), _cut(second, cuts[1], rng)


def _cut(piece: Piece, tokens: int, rng: random.Random) -> Piece:
    front = rng.getrandbits(tokens).bit_count() if tokens else 0
    return piece[0] + front, piece[1] - (tokens - front)
