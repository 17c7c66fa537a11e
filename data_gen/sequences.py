"""Single sequences without a second segment: RoBERTa, SpanBERT, left-to-right models."""

import bisect
import dataclasses
import itertools
import random
from collections.abc import Iterator

from data_gen.documents import TokenizedDocuments
from data_gen.examples import Example, Objective, Piece


@dataclasses.dataclass(frozen=True)
class FullSentences(Objective):
    """RoBERTa's full sentences: as many whole sentences as fit, across documents too.

    Where a document ends, a `[SEP]` stands before the sentences of the next. A sentence that is
    longer than a whole sequence is cut.

    Args:
        sequence_length: int. Most tokens of an example, special tokens counted.
        short_sequence_probability: float. Share of examples with a shorter, random length.
        across_documents: bool. False for RoBERTa's document sentences, which end with their
            document.

    Example:

    ```python
    sequences = FullSentences(sequence_length=512)
    examples = list(sequences(documents, random.Random(12345)))
    ```

    References:
        - Liu et al. 2019, arXiv:1907.11692, section 4.2.
    """

    across_documents: bool = True

    def __call__(self, documents: TokenizedDocuments, rng: random.Random) -> Iterator[Example]:
        sentences = documents.sentence_starts.tolist()
        bounds = documents.document_starts.tolist()
        pieces: list[Piece] = []
        target = room = self.target_length(rng)
        for document in range(len(documents)):
            place, end = bounds[document], bounds[document + 1]
            start = sentences[place]
            while place < end:
                # The last sentence boundary that is within reach.
                place = bisect.bisect_right(sentences, start + room, place + 1, end + 1) - 1
                reach = sentences[place]
                if reach <= start and not pieces:
                    reach = start + room  # A sentence longer than the whole sequence.
                if reach > start:
                    pieces.append((start, reach))
                    room -= reach - start + 1  # the [SEP] behind it
                    start = reach
                at_end = place == end
                if not at_end or room <= 0 or not self.across_documents:
                    yield Example(tuple(pieces), is_short=target < self.longest)
                    pieces = []
                    target = room = self.target_length(rng)
        if pieces:
            yield Example(tuple(pieces), is_short=target < self.longest)


@dataclasses.dataclass(frozen=True)
class SingleSequence(Objective):
    """One long run of text: SpanBERT's input, and that of left-to-right models.

    A document is cut into runs of as many tokens as fit, wherever the cut falls.

    Args:
        sequence_length: int. Most tokens of an example, special tokens counted.
        short_sequence_probability: float. Share of documents cut to a shorter, random length.

    Example:

    ```python
    sequences = SingleSequence(sequence_length=512)
    examples = list(sequences(documents, random.Random(12345)))
    ```

    References:
        - Joshi et al. 2020, arXiv:1907.10529, section 3.3.
    """

    def __call__(self, documents: TokenizedDocuments, rng: random.Random) -> Iterator[Example]:
        bounds = documents.sentence_starts[documents.document_starts].tolist()
        for start, end in itertools.pairwise(bounds):
            target = self.target_length(rng)
            for place in range(start, end, target):
                piece = (place, min(place + target, end))
                yield Example((piece,), is_short=target < self.longest)
