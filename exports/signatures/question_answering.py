"""Answers to questions: spans of a context of any length."""

import tensorflow as tf

from exports.signatures.base import STRINGS, Signature, TaskSignatures, same_size
from keras_bert.tasks.answer_choice import choose_answers
from keras_bert.tasks.answer_spans import has_most_context
from keras_bert.tasks.question_answering import QuestionAnsweringPredictor
from keras_bert.text.packing import LENGTH_STEP
from keras_bert.text.windows import SlidingWindows

_TOP = {
    "answer": ("top_answers", "the best answers with different texts, then empty strings"),
    "start": ("top_starts", "their first characters"),
    "end": ("top_ends", "the characters after their last ones"),
    "score": ("top_scores", "their probabilities, 0 behind the last one"),
    "count": ("top_counts", "how many there are"),
}
_ANSWER = {
    "answer": "the best answer as it stands in the context, or an empty string",
    "start": "its first character in the context",
    "end": "the character after its last one",
    "score": "its probability among the best answers",
    "no_answer_score": "how far the score of no answer lies above that of the best span",
}


class AnswerSignatures(TaskSignatures):
    """An answer to each question, or none where the model was trained for that."""

    family = QuestionAnsweringPredictor

    def __init__(self, predictor, **arguments):
        super().__init__(predictor, **arguments)
        options = predictor.options
        self._windows = SlidingWindows(
            predictor.tokenizer,
            predictor.sequence_length,
            stride=options["stride"],
            query_length=options["query_length"],
            max_windows=self.limits.windows,
        )

    def signatures(self):
        return [
            Signature(
                "serving_default",
                self._answer,
                {"question": STRINGS, "context": STRINGS},
                {**_ANSWER, **dict(_TOP.values())},
                {
                    "question": ["Where does Maria live?", "Who was there?"],
                    "context": ["Maria Rossi lives in Rome.", "Nobody was there."],
                },
            ),
            self.features_signature(
                self.infer,
                {
                    "start_logits": "score of each token as the first of the answer",
                    "end_logits": "score of each token as the last of the answer",
                },
            ),
        ]

    def _answer(self, question, context):
        question, context = same_size(question=question, context=context)
        question, context = self.bounded(question), self.bounded(context)
        windows = self._windows(context, question)
        # No more columns than the longest row needs; none of the maps goes beyond it.
        lengths = tf.reduce_sum(tf.cast(windows["padding_mask"], tf.int32), axis=1)
        columns = -(-tf.reduce_max(tf.concat([lengths, [1]], 0)) // LENGTH_STEP) * LENGTH_STEP
        example = windows.pop("example")
        rows = {name: tensor[:, :columns] for name, tensor in windows.items()}
        features = {name: rows[name] for name in ("token_ids", "segment_ids", "padding_mask")}
        logits = self.infer(features)
        options = self.predictor.options
        chosen = choose_answers(
            context,
            logits["start_logits"],
            logits["end_logits"],
            example,
            has_most_context(example, rows["context_index"]),
            rows["context_start"],
            rows["context_end"],
            n_best=options["n_best"],
            longest=options["max_answer_length"],
            null_threshold=options["null_threshold"] if options["unanswerable"] else None,
        )
        reply = {name: chosen[name] for name in _ANSWER}
        reply |= {told: chosen["top"][name] for name, (told, _) in _TOP.items()}
        # Scores are probabilities and differences: single precision is enough for them.
        return {
            name: tf.cast(value, tf.float32) if value.dtype == tf.float64 else value
            for name, value in reply.items()
        }
