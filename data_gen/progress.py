"""Progress through a corpus, on standard error."""

import contextlib
import time
from collections.abc import Callable, Iterator

import rich.console
import rich.progress


@contextlib.contextmanager
def corpus_progress(
    description: str, total_bytes: int
) -> Iterator[Callable[[int, int, str], None]]:
    """Shows a bar with rate and time left while the block runs; nothing off a terminal.

    Args:
        description: str. What is going on.
        total_bytes: int. Bytes of all input files on disk.

    Yields:
        A function of the bytes of input that are done, a count and the count's name.

    Example:

    ```python
    with corpus_progress("reading", corpus.bytes) as update:
        for number, document in enumerate(corpus):
            update(corpus.bytes_read, number, "documents")
    ```
    """
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.TaskProgressColumn(),
        rich.progress.TextColumn("{task.fields[counts]}"),
        rich.progress.TimeElapsedColumn(),
        rich.progress.TextColumn("left"),
        rich.progress.TimeRemainingColumn(),
    )
    console = rich.console.Console(stderr=True)
    start = time.monotonic()
    with rich.progress.Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(description, total=total_bytes, counts="")

        def update(bytes_done: int, count: int, name: str) -> None:
            rate = count / max(time.monotonic() - start, 1e-3)
            counts = f"{count:,} {name}, {rate:,.0f}/s"
            bar.update(task, completed=bytes_done, counts=counts)

        yield update
