"""How long a run was to be, is, and shall be."""

import dataclasses
from pathlib import Path
from typing import Any

from keras_bert.command_line import flag
from keras_bert.errors import InputError
from keras_bert.training.run_record import RunRecord


@dataclasses.dataclass(frozen=True)
class RunLength:
    """What is asked of a run that was begun before, beside what it has done.

    A finished run may become longer; none becomes shorter than it is.

    Args:
        path: Path. The run directory.
        option: str. The option that says how long the run is: `"steps"`, or another one.
        asked: Its value now.
        earlier: Its value when the run began, or went on last; None where that is not known.
        done: int. Steps of the newest checkpoint, by its name; 0 without one.
        is_finished: bool. Whether the run has written its metrics.
        record: `RunRecord` or None.
    """

    path: Path
    option: str
    asked: Any
    earlier: Any
    done: int
    is_finished: bool
    record: RunRecord | None

    @property
    def grows(self) -> bool:
        """Whether the option asks for more than before."""
        return self.earlier is not None and self.asked > self.earlier

    @property
    def has_ended(self) -> bool:
        """Whether all steps were done that were asked for."""
        record = self.record
        if self.is_finished or record is None or record.total_steps is None:
            return self.is_finished
        # Killed behind its last step, or when it was about to go beyond its end.
        return self.done >= record.total_steps or self.done in record.extensions

    def goes_beyond_its_end(self, step: int, total_steps: int) -> bool:
        """Whether the run had ended at a step and shall have more."""
        was_extended = self.record is not None and step in self.record.extensions
        is_longer = self.has_ended and (self.is_finished or self.grows)
        return total_steps > step and (is_longer or was_extended)

    def check(self, *, allows_changes: bool) -> None:
        """Refuses at once what the options alone tell.

        Args:
            allows_changes: bool. Whether the run may go on otherwise than it began.

        Raises:
            InputError: If the run is finished and shall not grow or cannot, or more is done than is
                asked for.
        """
        if self.is_finished and not self.done:
            model = self.path / "model"
            another = f"begin another one by --init {model} and " if model.is_dir() else ""
            raise InputError(
                f"{self.path}: holds a run already, whose checkpoints are gone, so that it cannot "
                f"go on; {another}choose another --output"
            )
        if self.option == "steps":
            self.check_steps(self.done, self.asked)
        if self.is_finished and not allows_changes and not self.grows:
            raise self._held() if self.asked == self.earlier else self._too_short("")

    def check_steps(self, step: int, total_steps: int) -> None:
        """Refuses a length that does not go beyond what is done.

        Args:
            step: int. Steps of the checkpoint from which the run goes on.
            total_steps: int. Those that the option asks for.

        Raises:
            InputError: If they are fewer, or as many and the run is finished.
        """
        if total_steps < step:
            is_steps = self.option == "steps"
            raise self._too_short("" if is_steps else f", which is {total_steps} steps", step)
        if self.is_finished and total_steps == step:
            raise self._held()

    def _too_short(self, more: str, step: int | None = None) -> InputError:
        name = flag(self.option)
        return InputError(
            f"`{name}` must not ask for less than is done: {self.path} holds a run already, of "
            f"{self.done if step is None else step} steps; choose a higher {name} or another "
            f"--output. Received: {self.asked}{more}"
        )

    def _held(self) -> InputError:
        return InputError(
            f"{self.path}: holds a run already; choose another --output, or let it go on from its "
            f"{self.done} steps by a higher {flag(self.option)} than {self.earlier}"
        )
