"""Who may see a page: names and passwords from a file or the environment.

There is no option for a password: the command lines of processes are everyone's to read.
"""

import os
import sys
from pathlib import Path

from keras_bert.errors import InputError

VARIABLE = "KERAS_BERT_DEMO_AUTH"


def credentials(file: str | None) -> list[tuple[str, str]]:
    """Returns names with their passwords, none where everyone may see the page.

    Args:
        file: str or None. Its lines are `user:password`. By default the environment variable
            `KERAS_BERT_DEMO_AUTH` holds one such line, if it is set.

    Raises:
        InputError: If the file cannot be read, or a line is not of this form. Messages never
            repeat a line.
    """
    if file is None:
        line = os.environ.get(VARIABLE)
        return [] if line is None else [_pair(line, f"the environment variable {VARIABLE}")]
    path = Path(file)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        is_open = path.stat().st_mode & 0o077
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(f"`--auth-file` cannot be read: {reason}. Received: {file}") from error
    pairs = [
        _pair(line, f"{file}:{number}") for number, line in enumerate(lines, 1) if line.strip()
    ]
    if not pairs:
        raise InputError(f"{file}: must have a line `user:password`. Received: an empty file")
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise InputError(f"{file}: must have each user once. Received: one of them twice")
    if is_open:
        print(f"warning: other users can read {file}: chmod 600 {file}", file=sys.stderr)
    return pairs


def _pair(line: str, place: str) -> tuple[str, str]:
    name, colon, password = line.strip().partition(":")
    # Spaces around a name are not sent by the form.
    if not (name.strip() and colon and password):
        raise InputError(
            f"{place} must be `user:password`. Received: a line without a name, ':' or password"
        )
    return name.strip(), password
