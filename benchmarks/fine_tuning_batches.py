"""Rows and batches of the fine-tuning benchmark for `transformers`, and the way back to answers."""

from dataclasses import dataclass
from typing import Any

import fine_tuning_answers
import numpy as np
import torch
from fine_tuning_data import Data, Example
from torch.nn.utils.rnn import pad_sequence


@dataclass(frozen=True)
class Row:
    """What the model sees of an example: ids and segments, of each choice where there are some."""

    example: int
    ids: list[list[int]]
    segments: list[list[int]]
    target: Any
    source: Any = None  # from which predictions find back to the text

    def __len__(self) -> int:
        return max(map(len, self.ids))


def encode(tokenizer: Any, data: Data, examples: list[Example], sequence_length: int) -> list[Row]:
    texts = [example.texts for example in examples]
    cut = {"truncation": True, "max_length": sequence_length}
    if data.kind == "answer":
        windows = fine_tuning_answers.windows(tokenizer, texts, sequence_length)
        return [
            Row(w.example, [w.ids], [w.segments], w.target(examples[w.example].target), w)
            for w in windows
        ]
    if data.kind == "tags":
        encoded = tokenizer([list(words) for words in texts], is_split_into_words=True, **cut)
        words = [encoded.word_ids(number) for number in range(len(texts))]
        targets = [_first_pieces(w, e.target, data) for w, e in zip(words, examples, strict=True)]
        return [
            Row(number, [ids], [segments], target, source)
            for number, (ids, segments, target, source) in enumerate(
                zip(encoded["input_ids"], encoded["token_type_ids"], targets, words, strict=True)
            )
        ]
    if data.kind == "choice":
        pairs = [(beginning, ending) for beginning, *endings in texts for ending in endings]
    else:
        pairs = texts
    encoded = tokenizer(*map(list, zip(*pairs, strict=True)), **cut)
    size = len(pairs) // len(texts)  # rows of an example
    return [
        Row(
            number,
            encoded["input_ids"][number * size : (number + 1) * size],
            encoded["token_type_ids"][number * size : (number + 1) * size],
            example.target,
        )
        for number, example in enumerate(examples)
    ]


def _first_pieces(words: list[int | None], tags: tuple[str, ...], data: Data) -> list[int]:
    """The tag of each word at its first piece, -100 elsewhere: the loss leaves that out."""
    return [
        -100 if word is None or word == before else data.labels.index(tags[word])
        for word, before in zip(words, [None, *words[:-1]], strict=True)
    ]


def batch_of(rows: list[Row], kind: str, pad_id: int) -> dict[str, torch.Tensor]:
    ids = [torch.tensor(values) for row in rows for values in row.ids]
    segments = [torch.tensor(values) for row in rows for values in row.segments]
    inputs = {
        "input_ids": pad_sequence(ids, batch_first=True, padding_value=pad_id),
        "token_type_ids": pad_sequence(segments, batch_first=True),
        "attention_mask": pad_sequence([torch.ones_like(row) for row in ids], batch_first=True),
    }
    if kind == "choice":
        # (batch * choices, length) -> (batch, choices, length)
        inputs = {name: tensor.unflatten(0, (len(rows), -1)) for name, tensor in inputs.items()}
    targets = [torch.tensor(row.target) for row in rows]
    if kind == "tags":
        return {**inputs, "labels": pad_sequence(targets, batch_first=True, padding_value=-100)}
    if kind == "answer":
        starts, ends = torch.stack(targets).unbind(1)
        return {**inputs, "start_positions": starts, "end_positions": ends}
    return {**inputs, "labels": torch.stack(targets)}


def decode(data: Data, rows: list[Row], outputs: list[np.ndarray]) -> list[Any]:
    if data.kind == "number":
        return [float(output[0]) for output in outputs]
    if data.kind == "answer":
        return fine_tuning_answers.best_answers(
            [example.texts for example in data.dev],
            [row.source for row in rows],
            outputs,
            with_none=any(not example.target for example in data.train),
        )
    if data.kind == "tags":
        predictions = []
        for row, output in zip(rows, outputs, strict=True):
            tags = ["O"] * len(data.dev[row.example].texts)  # for words that were cut off
            for column, target in enumerate(row.target):
                if target != -100:
                    tags[row.source[column]] = data.labels[output[column].argmax()]
            predictions.append(tags)
        return predictions
    return [int(output.argmax()) for output in outputs]
