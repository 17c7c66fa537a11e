"""torch's part of `serve.py`: pipelines of `transformers`, and ONNX Runtime with `tokenizers`.

    peers/bin/python benchmarks/serve_torch.py DIRECTORY

Batches are padded to their longest row. `transformers` 5 has no pipeline for questions: they are
answered as its documentation does it, with windows of the tokenizer and the best span by NumPy. The
ONNX file is what torch exports, fused by ONNX Runtime's own optimizer for BERT.
"""

import heapq
from pathlib import Path

import numpy as np
import onnxruntime
import serve_worker
import tokenizers
import torch
import transformers
from onnxruntime.transformers import optimizer

NAMES = ("text", "text_pair")
LENGTH, STRIDE, LONGEST, BEST = 384, 128, 30, 20
torch.set_grad_enabled(False)
transformers.logging.set_verbosity_error()


def classify(task: str, dtype: torch.dtype, directory: Path) -> serve_worker.Answer:
    source = str(directory / f"model-{task}")
    pipeline = transformers.pipeline(
        "text-classification", source, dtype=dtype, device="cpu", top_k=None
    )

    def answer(columns):
        rows = [
            dict(zip(NAMES[: len(row)], row, strict=True)) for row in zip(*columns, strict=True)
        ]
        replies = pipeline(rows, batch_size=len(rows), truncation=True)
        return [{entry["label"]: entry["score"] for entry in reply}["1"] for reply in replies]

    return answer


def best_text(context: str, windows: list[tuple]) -> str:
    """The text of the best span over the windows of one question.

    Args:
        context: str.
        windows: Start logits, end logits, offsets and places of the context's tokens of each.
    """
    spans = []
    for starts, ends, offsets, places in windows:
        first, last = (places[np.argsort(logits[places])[-BEST:]] for logits in (starts, ends))
        for start in first:
            for end in last:
                if 0 <= end - start < LONGEST:
                    score = starts[start] + ends[end]
                    spans.append((score, int(offsets[start][0]), int(offsets[end][1])))
    best = heapq.nlargest(BEST, spans)
    return context[best[0][1] : best[0][2]] if best else ""


def decode(contexts: list[str], owners, kinds, offsets, starts, ends) -> list[str]:
    """Texts of the answers.

    Args:
        owners: The question of each window.
        kinds: Of each window's tokens: 1 for the context.
        offsets: Of each window's tokens: beginning and end in the context.
        starts: `(windows, length)`, likewise `ends`.
    """
    windows: list[list] = [[] for _ in contexts]
    for row, owner in enumerate(owners):
        places = np.flatnonzero(np.array([kind == 1 for kind in kinds[row]]))
        windows[owner].append((starts[row], ends[row], offsets[row], places))
    return [best_text(context, own) for context, own in zip(contexts, windows, strict=True)]


def find_answers(dtype: torch.dtype, directory: Path) -> serve_worker.Answer:
    source = str(directory / "model-squad")
    model = transformers.BertForQuestionAnswering.from_pretrained(source, dtype=dtype).eval()
    tokenizer = transformers.BertTokenizerFast.from_pretrained(source)

    def answer(columns):
        questions, contexts = columns
        rows = tokenizer(
            questions,
            contexts,
            max_length=LENGTH,
            stride=STRIDE,
            truncation="only_second",
            padding=True,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        names = ("input_ids", "token_type_ids", "attention_mask")
        logits = model(**{name: torch.tensor(rows[name]) for name in names})
        kinds = [rows.sequence_ids(row) for row in range(len(rows["input_ids"]))]
        arrays = (x.float().numpy() for x in (logits.start_logits, logits.end_logits))
        owners = rows["overflow_to_sample_mapping"]
        return decode(contexts, owners, kinds, rows["offset_mapping"], *arrays)

    return answer


def write_onnx(task: str, directory: Path, output: Path) -> None:
    source = str(directory / f"model-{task}")
    automatic = (
        transformers.AutoModelForQuestionAnswering
        if task == "squad"
        else transformers.AutoModelForSequenceClassification
    )
    model = automatic.from_pretrained(source, attn_implementation="eager").eval()
    names = ["input_ids", "token_type_ids", "attention_mask"]
    outputs = ["start_logits", "end_logits"] if task == "squad" else ["logits"]
    example = tuple(torch.ones(2, 16, dtype=torch.long) for _ in names)
    plain = output.with_suffix(".plain.onnx")

    class Positional(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, ids, kinds, mask):
            reply = self.model(input_ids=ids, token_type_ids=kinds, attention_mask=mask)
            return tuple(getattr(reply, name) for name in outputs)

    axes = {name: {0: "batch", 1: "length"} for name in names + outputs}
    if task != "squad":
        axes["logits"] = {0: "batch"}
    torch.onnx.export(
        Positional(),
        example,
        str(plain),
        input_names=names,
        output_names=outputs,
        dynamic_axes=axes,
        opset_version=17,
        dynamo=False,
    )
    config = model.config
    fused = optimizer.optimize_model(
        str(plain), "bert", config.num_attention_heads, config.hidden_size, opt_level=0
    )
    print(task, fused.get_fused_operator_statistics())
    fused.save_model_to_file(str(output))


def run_onnx(task: str, directory: Path) -> serve_worker.Answer:
    path = directory / f"model-{task}.onnx"
    if not path.exists():
        write_onnx(task, directory, path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    vocabulary = str(directory / f"model-{task}" / "vocab.txt")
    tokenizer = tokenizers.BertWordPieceTokenizer(vocabulary, lowercase=True)
    tokenizer.enable_padding()
    if task == "squad":
        tokenizer.enable_truncation(LENGTH, stride=STRIDE, strategy="only_second")
    else:
        tokenizer.enable_truncation(512)
    types = {"input_ids": "ids", "token_type_ids": "type_ids", "attention_mask": "attention_mask"}

    def answer(columns):
        pairs = list(zip(*columns, strict=True))
        encoded = tokenizer.encode_batch(pairs if len(columns) > 1 else columns[0])
        owners = [row for row, one in enumerate(encoded) for _ in range(1 + len(one.overflowing))]
        rows = [window for one in encoded for window in (one, *one.overflowing)]
        feed = {
            name: np.array([getattr(row, field) for row in rows], np.int64)
            for name, field in types.items()
        }
        outputs = session.run(None, feed)
        if task == "squad":
            kinds = [row.sequence_ids for row in rows]
            offsets = [row.offsets for row in rows]
            return decode(columns[1], owners, kinds, offsets, *outputs)
        logits = outputs[0] - outputs[0].max(axis=1, keepdims=True)
        shares = np.exp(logits)
        return (shares[:, 1] / shares.sum(axis=1)).tolist()

    return answer


def make(contender: str, task: str, directory: Path) -> serve_worker.Answer:
    if contender == "ONNX Runtime":
        return run_onnx(task, directory)
    dtype = getattr(torch, contender.removeprefix("transformers, "))
    if task == "squad":
        return find_answers(dtype, directory)
    return classify(task, dtype, directory)


if __name__ == "__main__":
    serve_worker.work(make)
