"""Which choices a model takes for the right one."""

import numpy as np

from keras_bert.page import escaped
from keras_bert.reports.bars import Bar, bars
from keras_bert.reports.calibration import calibration_section
from keras_bert.reports.findings import Findings, error_section, ordered, sample
from keras_bert.reports.marks import marked

# Characters of a choice that are shown.
_LONGEST_CHOICE = 400


def choice_findings(examples, answers, labels) -> Findings:
    """Findings of the family `multiple_choice`: see `Inspector`."""
    del labels
    targets = np.array(examples.targets)
    found = np.array([answer["choice"] for answer in answers])
    confidence = np.array([max(answer["probabilities"]) for answer in answers])
    errors = ordered(confidence, found != targets)

    def show(index: int) -> str:
        choices = examples.columns["choices"][index]
        shares = answers[index]["probabilities"]
        values = [
            Bar(_shortened(text), share, place == targets[index], place == found[index])
            for place, (text, share) in enumerate(zip(choices, shares, strict=True))
        ]
        says = f"gold choice {targets[index]}, predicted choice {found[index]}"
        context = f'<p dir="auto">{marked(examples.columns["context"][index])}</p>'
        return sample(examples, index, escaped(says), context, bars(values))

    legend = "Those come first whose wrong choice has the highest probability."
    return Findings(
        [
            calibration_section(confidence, found == targets, what="the predicted choice"),
            error_section(errors, len(examples), show, legend=legend),
        ],
        errors,
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_CHOICE else f"{text[:_LONGEST_CHOICE]} […]"
