"""What a classifier gets wrong: one class of several, or any number of them."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from keras_bert.figures import png, styled
from keras_bert.page import escaped, figures, table
from keras_bert.reports.bars import Bar, bars
from keras_bert.reports.calibration import calibration_section
from keras_bert.reports.findings import Findings, Section, error_section, ordered, sample
from keras_bert.reports.marks import marked
from keras_bert.reports.style import shade
from keras_bert.tasks.examples import Examples

# Classes of a confusion matrix with numbers; a larger one is a picture.
_FEW_CLASSES = 12
# Rows of a table about classes.
_MOST_ROWS = 60


def class_findings(examples, answers, labels) -> Findings:
    """Findings of the family `classification`: see `Inspector`."""
    targets = np.array(examples.targets)
    shares = _probabilities(answers, labels)
    places = {label: index for index, label in enumerate(labels)}
    found = np.array([places[answer["label"]] for answer in answers])
    wrong = found != targets
    confidence = shares[np.arange(len(shares)), found]
    errors = ordered(confidence, wrong)

    def show(index: int) -> str:
        gold, chosen = targets[index], found[index]
        return sample(
            examples,
            index,
            f"gold {_named(labels[gold])}, predicted {_named(labels[chosen])}",
            texts(examples, index),
            bars(
                [
                    Bar(label, float(share), place == gold, place == chosen)
                    for place, (label, share) in enumerate(zip(labels, shares[index], strict=True))
                ]
            ),
        )

    legend = "Those come first whose wrong class has the highest probability."
    return Findings(
        [
            Section("Classes", _class_table(targets, found, labels)),
            _confusion(targets, found, labels),
            calibration_section(confidence, ~wrong, what="the predicted class"),
            error_section(errors, len(examples), show, legend=legend),
        ],
        errors,
    )


def label_findings(examples, answers, labels) -> Findings:
    """Findings of the family `multi_label`: see `Inspector`."""
    shares = _probabilities(answers, labels)
    gold = np.zeros(shares.shape, bool)
    found = np.zeros(shares.shape, bool)
    places = {label: index for index, label in enumerate(labels)}
    for row, (target, answer) in enumerate(zip(examples.targets, answers, strict=True)):
        gold[row, list(target)] = True
        found[row, [places[label] for label in answer["labels"]]] = True
    wrong = gold != found
    # How sure the model is of what is wrong: of a label too many, against one that is missing.
    sureness = np.where(wrong, np.where(found, shares, 1 - shares), 0).max(axis=1)
    errors = ordered(sureness, wrong.any(axis=1))

    def show(index: int) -> str:
        said = [
            f"{word} {', '.join(_named(labels[i]) for i in np.flatnonzero(flags[index]))}"
            for word, flags in (("missing", gold & ~found), ("too many", found & ~gold))
            if flags[index].any()
        ]
        rows = zip(labels, shares[index], gold[index], found[index], strict=True)
        values = [Bar(label, float(share), *map(bool, flags)) for label, share, *flags in rows]
        return sample(examples, index, "; ".join(said), texts(examples, index), bars(values))

    legend = "Those come first where the model is surest of a label that is wrong."
    return Findings(
        [
            Section("Labels", _class_table(gold, found, labels)),
            calibration_section(shares.ravel(), gold.ravel(), what="a label"),
            error_section(errors, len(examples), show, legend=legend),
        ],
        errors,
    )


def texts(examples: Examples, index: int) -> str:
    """The texts of an example as paragraphs."""
    parts = []
    for name, values in examples.columns.items():
        said = f'<span class="field">{name}</span> ' if len(examples.columns) > 1 else ""
        parts.append(f'<p dir="auto">{said}{marked(values[index])}</p>')
    return "\n".join(parts)


def _named(label: str) -> str:
    return f'<b class="label"><bdi>{escaped(label)}</bdi></b>'


def _probabilities(answers, labels) -> np.ndarray:
    """Floats `(examples, labels)`."""
    return np.array([[answer["probabilities"][label] for label in labels] for answer in answers])


def _class_table(targets: np.ndarray, found: np.ndarray, labels: Sequence[str]) -> str:
    """Precision, recall and F1 by class, from indices or flags."""
    columns = precision_recall_fscore_support(
        targets, found, labels=range(len(labels)), zero_division=0
    )
    precision, recall, f1, support = columns
    predicted = found.sum(axis=0)
    if found.ndim == 1:
        predicted = np.bincount(found, minlength=len(labels))
    order = range(len(labels))
    note = ""
    if len(labels) > _MOST_ROWS:
        order = np.argsort(f1, kind="stable")[:_MOST_ROWS]
        note = f'<p class="dim">Of {len(labels):,} classes, the {_MOST_ROWS} of lowest F1.</p>\n'
    rows = [
        (
            f"<bdi>{escaped(labels[i])}</bdi>",
            f"{support[i]:,}",
            f"{predicted[i]:,}",
            *(f"{values[i]:.4f}" for values in (precision, recall, f1)),
        )
        for i in order
    ]
    head = ("class", "gold", "predicted", "precision", "recall", "F1")
    return note + table(head, rows, numbers=range(1, 6))


def _confusion(targets: np.ndarray, found: np.ndarray, labels: Sequence[str]) -> Section:
    if len(labels) <= _FEW_CLASSES:
        html = _confusion_table(confusion_matrix(targets, found, labels=range(len(labels))), labels)
    else:
        html = _confusion_picture(targets, found, len(labels))
    if len(labels) > 2:
        html += _confusions(targets, found, labels)
    return Section("Confusion", html)


def _confusion_table(counts: np.ndarray, labels: Sequence[str]) -> str:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    lines = ['<tr><th scope="col">gold \\ predicted</th>']
    lines += [f'<th scope="col" class="number"><bdi>{escaped(name)}</bdi></th>' for name in labels]
    for row, name in enumerate(labels):
        lines.append(f'</tr>\n<tr><th scope="row"><bdi>{escaped(name)}</bdi></th>')
        for column in range(len(labels)):
            # The share as the depth of the colour: blue where right, orange where wrong.
            share = shares[row, column]
            lines.append(
                f'<td class="number {shade(share, is_right=row == column)}">'
                f"{counts[row, column]:,}<small>{share:.1%}</small></td>"
            )
    legend = "Rows are gold classes, with the share of each row; right ones are blue."
    return (
        f'<div class="scroll"><table class="confusion">\n{"".join(lines)}</tr>\n</table></div>'
        f'<p class="dim">{legend}</p>'
    )


def _confusion_picture(targets: np.ndarray, found: np.ndarray, size: int) -> str:
    counts = confusion_matrix(targets, found, labels=range(size))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    def draw(figure: Figure) -> None:
        axes = styled(figure.subplots(), "predicted class", "gold class")
        axes.grid(visible=False)
        figure.colorbar(axes.imshow(shares, cmap="Blues", vmin=0, vmax=1), label="share of row")

    caption = "Confusion matrix: classes by their index, shares of each gold class"
    return figures([(caption, png(draw, size=(6.4, 5.2)))])


def _confusions(targets: np.ndarray, found: np.ndarray, labels: Sequence[str]) -> str:
    wrong = targets != found
    pairs = Counter(zip(targets[wrong].tolist(), found[wrong].tolist(), strict=True))
    rows = [
        (*(f"<bdi>{escaped(labels[i])}</bdi>" for i in pair), f"{count:,}")
        for pair, count in pairs.most_common(15)
    ]
    head = ("gold", "predicted", "count")
    title = "<h3>Most frequent confusions</h3>"
    return f"{title}\n{table(head, rows, numbers=(2,))}" if rows else ""
