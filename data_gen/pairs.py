"""Examples for next-sentence prediction, by BERT's own rule."""

import dataclasses
import random
from collections.abc import Iterator, Sequence

Document = Sequence[Sequence[int]]
"""A document: its sentences, each a list of token ids."""

_SPECIAL_TOKENS = 3  # [CLS] and two [SEP]
_TRIES = 10


@dataclasses.dataclass(frozen=True)
class Example:
    """One example: tokens with `[CLS]` and `[SEP]`, their segments, and the label.

    The label is 0 when the second segment follows the first in the text, 1 when it is random.
    """

    token_ids: list[int]
    segment_ids: list[int]
    next_sentence_label: int


@dataclasses.dataclass(frozen=True)
class NextSentencePairs:
    """Cuts documents into pairs of segments.

    Sentences are gathered into a chunk until the target length is reached: `sequence_length` less
    the special tokens or, with probability `short_sequence_probability`, a random length from 2.
    The chunk is cut at a random sentence boundary. The part behind the cut stays with probability
    one half; otherwise a random place of another document takes its place, and the unused
    sentences go back to the front of the text. A chunk of one sentence always gets a random
    partner. A pair that is too long loses tokens one by one, from its longer side, at the front or
    at the end with equal chances.

    Args:
        sequence_length: int. Most tokens of an example, special tokens counted.
        start_id: int. `[CLS]`.
        end_id: int. `[SEP]`.
        short_sequence_probability: float.

    Example:

    ```python
    pairs = NextSentencePairs(sequence_length=128, start_id=101, end_id=102)
    examples = list(pairs(documents, random.Random(12345)))
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, appendix A.2; `create_instances_from_document` in
          `create_pretraining_data.py` of google-research/bert.
    """

    sequence_length: int
    start_id: int
    end_id: int
    short_sequence_probability: float = 0.1

    def __call__(self, documents: Sequence[Document], rng: random.Random) -> Iterator[Example]:
        """Yields the examples of all documents.

        Args:
            documents: Sequence of at least two documents, none of them empty, no sentence empty.
            rng: `random.Random`. The only source of chance.
        """
        for index in range(len(documents)):
            yield from self._document_examples(documents, index, rng)

    def _target(self, rng: random.Random) -> int:
        longest = self.sequence_length - _SPECIAL_TOKENS
        if rng.random() < self.short_sequence_probability:
            return rng.randint(2, longest)
        return longest

    def _document_examples(self, documents, index, rng):
        document = documents[index]
        target = self._target(rng)
        chunk: list[Sequence[int]] = []
        length = place = 0
        while place < len(document):
            chunk.append(document[place])
            length += len(document[place])
            place += 1
            if place < len(document) and length < target:
                continue
            cut = 1 if len(chunk) == 1 else rng.randint(1, len(chunk) - 1)
            first = [token for sentence in chunk[:cut] for token in sentence]
            is_random = len(chunk) == 1 or rng.random() < 0.5
            if is_random:
                second = self._random_segment(documents, index, target - len(first), rng)
                place -= len(chunk) - cut
            else:
                second = [token for sentence in chunk[cut:] for token in sentence]
            yield self._example(first, second, int(is_random), rng)
            chunk, length = [], 0

    def _random_segment(self, documents, index, target, rng):
        """Sentences from a random place of another document, until `target` tokens."""
        for _ in range(_TRIES):
            other = rng.randint(0, len(documents) - 1)
            if other != index:
                break
        document = documents[other]
        segment: list[int] = []
        for sentence in document[rng.randint(0, len(document) - 1) :]:
            segment.extend(sentence)
            if len(segment) >= target:
                break
        return segment

    def _example(self, first, second, label, rng):
        first, second = self._trim(first, second, rng)
        return Example(
            token_ids=[self.start_id, *first, self.end_id, *second, self.end_id],
            segment_ids=[0] * (len(first) + 2) + [1] * (len(second) + 1),
            next_sentence_label=label,
        )

    def _trim(self, first, second, rng):
        starts, ends = [0, 0], [len(first), len(second)]
        budget = self.sequence_length - _SPECIAL_TOKENS
        lengths = [len(first), len(second)]
        while sum(lengths) > budget:
            longer = 0 if lengths[0] > lengths[1] else 1
            lengths[longer] -= 1
            if rng.random() < 0.5:
                starts[longer] += 1
            else:
                ends[longer] -= 1
        assert min(lengths) > 0, "both segments keep a token"
        return first[starts[0] : ends[0]], second[starts[1] : ends[1]]
