"""What the processes of `serve.py` share: they answer turn by turn, in lines of JSON.

Nothing here comes from keras_bert or a peer.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# From the columns of a batch, lists of str, to one answer for each row.
Answer = Callable[[list[list[str]]], list[Any]]


def work(make: Callable[[str, str, Path], Answer]) -> None:
    """Runs the turns that stand in the standard input until it ends.

    Args:
        make: From the names of a contender and a task and the folder of models to a contender.
    """
    directory = Path(sys.argv[1])
    # Libraries that write to the standard output do not disturb the replies.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    rows = json.loads((directory / "inputs.json").read_text())
    contenders: dict[tuple[str, str], Answer] = {}
    for line in sys.stdin:
        turn = json.loads(line)
        key = turn["contender"], turn["task"]
        if key not in contenders:
            contenders[key] = make(*key, directory)
        answer = contenders[key]
        seconds, answers = [], []
        for first, batch in turn["batches"]:
            inputs = [column[first : first + batch] for column in rows[turn["task"]]]
            started = time.perf_counter()
            answers += answer(inputs)
            seconds.append(time.perf_counter() - started)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        replies.write(json.dumps({"seconds": seconds, "answers": answers, "kb": memory}) + "\n")
        replies.flush()
