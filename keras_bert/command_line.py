"""Command lines from dataclasses: one source for flags, configuration files and help.

A command is a frozen dataclass of options and a function that takes it:

```python
@dataclasses.dataclass(frozen=True)
class GreetOptions(Options):
    name: str = option(help="whom to greet", positional=True)
    times: Count = option(1, help="number of greetings")

COMMANDS = {"greet": Command(GreetOptions, "package.greeting:greet", "Print a greeting.")}
run("python -m package", "What the package does.", COMMANDS)
```

The function is named by a string and imported only when its command runs, so that `--help` does
not wait for TensorFlow.
"""

import contextlib
import dataclasses
import importlib
import json
import os
import re
import sys
import tempfile
import types
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NoReturn, get_type_hints

import jsonargparse

from keras_bert.errors import InputError, InputWarning
from keras_bert.failures import Failure, failure_of
from keras_bert.interruption import CODE, unwinding
from keras_bert.ranges import KINDS, check_number, numbers_of

# Options by which a command takes less memory.
_LESS_MEMORY = {
    "batch_size": "a smaller",
    "long_batch_size": "a smaller",
    "sequence_length": "a smaller",
    "gradient_accumulation_steps": "more",
    "workers": "fewer",
    "partition_bytes": "a smaller",
    "length": "a smaller",
    "max_batch_size": "a smaller",
    "max_total_bytes": "a smaller",
}


def option(default: Any = dataclasses.MISSING, *, help: str, positional: bool = False) -> Any:
    """Declares one option of a command; without a default it is required."""
    return dataclasses.field(default=default, metadata={"help": help, "positional": positional})


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of a command. Wherever they come from, numbers are in the ranges of their types.

    Raises:
        InputError: If one is not; the message names the flag and the value.
    """

    def __post_init__(self):
        for name, (kind, bounds) in numbers_of(type(self)).items():
            value = getattr(self, name)
            if value is not None:
                check_number(f"`{flag(name)}`", kind, bounds, value)


@dataclasses.dataclass(frozen=True)
class Command:
    """One subcommand.

    Args:
        options: type. A frozen dataclass, of `Options`, whose fields were made by `option`.
        function: str. `"module:name"` of the function that takes an instance of `options`.
        help: str. One sentence.
    """

    options: type
    function: str
    help: str


# What jsonargparse says of a value that is not of an option's type.
_WRONG_VALUE = re.compile(r'Parser key "(?:\w+\.)*(\w+)": .*(?:Got|Given) value: ?(.*)')

_KEY = re.compile(r'^Parser key "(?:\w+\.)*(\w+)"')


class _Parser(jsonargparse.ArgumentParser):
    """Reports wrong usage in one line, without repeating all flags."""

    # Those of all commands: in no two of them an option is a number of another kind.
    numbers: ClassVar[dict[str, type]] = {}

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        del ex
        line = " ".join(message.split())
        found = _WRONG_VALUE.fullmatch(line)
        if found and found[1] in self.numbers:
            kind = KINDS[self.numbers[found[1]]]
            line = f"`{flag(found[1])}` must be {kind}. Received: {found[2]}"
        line = _KEY.sub(lambda key: f"`{flag(key[1])}`", line)
        self.exit(2, f"error: {line} ({self.prog.split(' [options]')[0]} --help lists the flags)\n")


def _parser_of(command: Command) -> _Parser:
    parser = _Parser(description=command.help)
    parser.add_argument(
        "--config", action="config", help="JSON or YAML file with any of these options"
    )
    types = get_type_hints(command.options)
    for field in dataclasses.fields(command.options):
        arguments = {"help": field.metadata["help"]}
        required = field.default is dataclasses.MISSING
        if not required:
            arguments["default"] = field.default
        if field.metadata["positional"]:
            parser.add_argument(field.name, type=types[field.name], **arguments)
            continue
        if types[field.name] is bool:
            arguments["action"] = "store_true"
        elif types[field.name] == tuple[str, ...]:
            arguments |= {"type": str, "nargs": "*"}
        else:
            arguments["type"] = types[field.name]
        parser.add_argument(flag(field.name), required=required, **arguments)
    return parser


def parse(
    program: str, description: str, commands: Mapping[str, Command], arguments: Sequence[str] | None
) -> tuple[Command, Any]:
    """Returns the chosen command and its options; exits with code 2 on wrong usage."""
    for command in commands.values():
        kinds = {name: kind for name, (kind, _) in numbers_of(command.options).items()}
        _Parser.numbers = {**_Parser.numbers, **kinds}
    parser = _Parser(prog=program, description=description)
    subcommands = parser.add_subcommands(dest="command", required=True)
    for name, command in commands.items():
        subcommands.add_subcommand(name, _parser_of(command), help=command.help)
    values = parser.parse_args(arguments)
    command = commands[values.command]
    chosen = values[values.command].as_dict()
    chosen.pop("config", None)
    return command, command.options(**chosen)


def resolved(options: Any) -> dict[str, Any]:
    """Returns options as a JSON dictionary that `--config` reads back."""
    return dataclasses.asdict(options)


def defaults(options: Any) -> dict[str, Any]:
    """Returns the defaults of the options that have one."""
    fields = dataclasses.fields(options)
    return {f.name: f.default for f in fields if f.default is not dataclasses.MISSING}


def flag(name: str) -> str:
    """Returns how an option is written on the command line."""
    return f"--{name.replace('_', '-')}"


def check_unused(options: Any, *names: str, reason: str) -> None:
    """Checks that options which would do nothing have their defaults.

    Args:
        options: dataclass instance of a command.
        names: str. Those without use.
        reason: str. Why they have none, for example ``"`--near` is off"``.

    Raises:
        InputError: If one of them is given; the message names the flag and the value.
    """
    defaults = {field.name: field.default for field in dataclasses.fields(options)}
    for name in names:
        value = getattr(options, name)
        if value != defaults[name]:
            raise InputError(f"{reason}, so `{flag(name)}` has no use. Received: {value}")


def run(
    program: str,
    description: str,
    commands: Mapping[str, Command],
    arguments: Sequence[str] | None = None,
) -> int:
    """Parses the command line, prints the resolved options and runs the command.

    Options go to standard error, so that standard output carries the command's own answer. Wrong
    input, and what the system or a library says of files, disks, memory or networks, is one line;
    any other exception is a fault of the program and goes on to the caller.

    Returns:
        The exit code: 0 when the command succeeded, 2 when the user's input was wrong or the system
        refused something, 130 at SIGINT.
    """
    options = None
    try:
        command, options = parse(program, description, commands, arguments)
        print(json.dumps(resolved(options), ensure_ascii=False), file=sys.stderr)
        module, name = command.function.split(":")
        function = getattr(_import_quietly(module), name)
        with warnings.catch_warnings():
            _print_input_warnings()
            with unwinding():
                function(options)
        if sys.stdout is not None:
            sys.stdout.flush()
    except InputError as error:
        return _ends_with(str(error))
    except KeyboardInterrupt as error:
        _say(": ".join(["interrupted", *map(str, error.args)]))
        return CODE
    except SystemExit:
        _flushes_output()
        raise
    except Exception as error:
        failure = failure_of(error)
        if failure is None:
            raise
        return _ends_with(_line_of(failure, options))
    return 0


def _ends_with(message: str) -> int:
    _say(f"error: {' '.join(message.split())}")
    return 2


def _say(line: str) -> None:
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def _line_of(failure: Failure, options: Any) -> str:
    """Names the option, the file and what was said of it."""
    if failure.place is None and not _flushes_output():
        return f"standard output: cannot write: {failure.reason}"
    if failure.is_of_memory:
        place = f"{failure.place}: " if failure.place else ""
        return f"{place}too little memory: {failure.reason}{_less_memory(options)}"
    if failure.place is None:
        return failure.reason
    name = _flag_of(failure.place, options)
    return f"{f'`{name}`: ' if name else ''}{failure.place}: {failure.reason}"


def _flushes_output() -> bool:
    """Whether what was printed arrives; otherwise nothing more is written, nor at the end."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):  # Not of the operating system's.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


def _flag_of(place: str, options: Any) -> str | None:
    """The option that gave a path, or the longest directory above it."""
    found = [
        (len(value), field)
        for field in (dataclasses.fields(options) if options is not None else ())
        if isinstance(value := getattr(options, field.name), str) and value
        if f"{place}{os.sep}".startswith(f"{value.rstrip(os.sep)}{os.sep}")
    ]
    if not found:
        return None
    field = max(found, key=lambda pair: pair[0])[1]
    return field.name if field.metadata["positional"] else flag(field.name)


def _less_memory(options: Any) -> str:
    known = {field.name for field in dataclasses.fields(options)} if options is not None else set()
    advice = [f"{how} {flag(name)}" for name, how in _LESS_MEMORY.items() if name in known]
    return f"; it takes less with {' or '.join(advice)}" if advice else ""


def _print_input_warnings() -> None:
    """Shows warnings about the input as errors are shown: in one line, without the code's."""
    show_others = warnings.showwarning

    def show(message, category, filename, lineno, file=None, line=None):
        if issubclass(category, InputWarning):
            print(f"warning: {' '.join(str(message).split())}", file=sys.stderr)
        else:
            show_others(message, category, filename, lineno, file, line)

    warnings.simplefilter("always", InputWarning)
    warnings.showwarning = show


def _import_quietly(name: str) -> types.ModuleType:
    """Imports a module without TensorFlow's start-up notes, which would bury a one-line error.

    TensorFlow writes them to the process' standard error before any setting can hold them back.
    They are shown if the import fails.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    with tempfile.TemporaryFile() as notes:
        stderr = os.dup(2)
        os.dup2(notes.fileno(), 2)
        try:
            module = importlib.import_module(name)
            if "tensorflow" in sys.modules:
                # The search for devices has notes of its own.
                sys.modules["tensorflow"].config.list_physical_devices()
        except BaseException:
            notes.seek(0)
            os.write(stderr, notes.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
    return module
