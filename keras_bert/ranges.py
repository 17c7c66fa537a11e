"""Numbers that options take, each a type that says its range.

```python
@dataclasses.dataclass(frozen=True)
class GreetOptions(Options):
    times: Count = option(1, help="number of greetings")
    share: Share | None = option(None, help="share of those greeted, 0 to 1")
```
"""

import dataclasses
import math
import typing
from typing import Annotated, Any

from keras_bert.errors import InputError

_NARROW = 65535


@dataclasses.dataclass(frozen=True)
class Range:
    """The numbers that an option may have. None of them is nan or infinite.

    Args:
        least: int or float.
        most: int or float.
        open_below: bool. `least` itself is not one of them.
        open_above: bool. `most` itself is not one of them.
    """

    least: float
    most: float = math.inf
    open_below: bool = False
    open_above: bool = False

    def broken_rule(self, value: float) -> str | None:
        """Returns the rule that a number breaks, as `at least 1`; None where it breaks none."""
        is_enough = value > self.least if self.open_below else value >= self.least
        is_few = value < self.most if self.open_above else value <= self.most
        if is_enough and is_few and not math.isinf(value):
            return None
        below = f"{'above' if self.open_below else 'at least'} {self.least}"
        above = f"{'below' if self.open_above else 'at most'} {self.most}"
        if self.most <= _NARROW:
            is_closed = not (self.open_below or self.open_above)
            return f"from {self.least} to {self.most}" if is_closed else f"{below} and {above}"
        # The other end of a wide range is nobody's mistake.
        if not is_enough:
            return below
        return "finite" if math.isinf(value) else above


# TensorFlow counts rows, steps and places in int32 and int64, products of two of them too.
_MOST = 2**31 - 1
_LONGEST = 10**8  # seconds or milliseconds, far below what clocks overflow at

Count = Annotated[int, Range(1, _MOST)]
CountOrZero = Annotated[int, Range(0, _MOST)]
Bytes = Annotated[int, Range(1, 2**63 - 1)]
Seed = Annotated[int, Range(0, 2**32 - 1)]  # of NumPy and Keras
Port = Annotated[int, Range(0, 65535)]  # 0 takes a free one
NotNegative = Annotated[float, Range(0)]
Share = Annotated[float, Range(0, 1)]
ShareAboveZero = Annotated[float, Range(0, 1, open_below=True)]
ShareWithin = Annotated[float, Range(0, 1, open_below=True, open_above=True)]
Seconds = Annotated[float, Range(0, _LONGEST, open_below=True)]
Milliseconds = Annotated[float, Range(0, _LONGEST)]


def numbers_of(options: type) -> dict[str, tuple[type, Range | None]]:
    """Returns the options that are numbers: `int` or `float`, and the range, if there is one.

    Args:
        options: type. A dataclass of options.
    """
    found = {}
    hints = typing.get_type_hints(options, include_extras=True)
    for field in dataclasses.fields(options):
        hint = hints[field.name]
        if typing.get_origin(hint) is not Annotated:
            # Of `Count | None` the part that is no None.
            parts = [part for part in typing.get_args(hint) if part is not type(None)]
            hint = parts[0] if len(parts) == 1 else hint
        kind = typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint
        if kind in (int, float):
            ranges = [part for part in typing.get_args(hint)[1:] if isinstance(part, Range)]
            found[field.name] = (kind, ranges[0] if ranges else None)
    return found


def check_number(place: str, kind: type, bounds: Range | None, value: Any) -> None:
    """Checks a number.

    Args:
        place: str. What messages call it: `` "`--steps`" ``.
        kind: type. `int` or `float`.
        bounds: `Range` or None.
        value: Any.

    Raises:
        InputError: If it is no number, no whole one where `kind` is `int`, or out of range.
    """
    kinds = (int,) if kind is int else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise InputError(f"{place} must be {KINDS[kind]}. Received: {value!r}")
    rule = bounds.broken_rule(value) if bounds else None
    if rule:
        raise InputError(f"{place} must be {rule}. Received: {value}")


KINDS = {int: "a whole number", float: "a number"}
