"""Names of versions, such as `stable`, as a server's options give them."""

from collections.abc import Sequence

from keras_bert.errors import InputError


def read_labels(pairs: Sequence[str]) -> dict[str, int]:
    """Returns the numbers of versions by their labels.

    Args:
        pairs: Such as `"stable=1"`.

    Raises:
        InputError: If one is no pair, its number no version, or a label given twice.
    """
    labels: dict[str, int] = {}
    for pair in pairs:
        label, _, number = pair.partition("=")
        # As versions in paths: no more digits than 64 bits hold.
        is_number = number.isascii() and number.isdigit() and len(number) <= 18
        if not label or set(label) & set("/:") or not is_number:
            raise InputError(
                "`--version-label` must be NAME=VERSION, such as stable=1, with neither '/' nor "
                f"':' in the name. Received: {pair!r}"
            )
        if label in labels:
            raise InputError(f"`--version-label` must name each label once. Received: {label!r}")
        labels[label] = int(number)
    return labels
