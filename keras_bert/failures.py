"""What the system and libraries say of files, disks, memory and networks, told from bugs.

`InputError` comes from this project's own checks. A disk that fills up, a file that is damaged or a
machine without memory is met by whichever library comes first, and told by an exception of its
own. `failure_of` knows those; what it does not know is a fault of the program.
"""

import errno
import os
import re
from typing import NamedTuple

from keras_bert.errors import InputError

# Of descriptors and buffers that the program itself mixes up.
_OWN_FAULTS = frozenset((errno.EBADF, errno.EFAULT))
# By name, since none of these libraries is imported for the question: root of the module, class.
_OF_DAMAGED_FILES = frozenset(
    (
        ("_csv", "Error"),
        ("_lzma", "LZMAError"),
        ("google", "DecodeError"),
        ("json", "JSONDecodeError"),
        ("pyarrow", "ArrowException"),
        ("safetensors", "SafetensorError"),
        ("yaml", "YAMLError"),
        ("zipfile", "BadZipFile"),
        ("zlib", "error"),
    )
)
_OF_NETWORKS = frozenset(("UnavailableError", "DeadlineExceededError"))
# What TensorFlow says of files without the system's own words.
_OF_CHECKPOINTS = re.compile("TensorSliceReader|Unable to open table file|File system scheme")
_OF_MEMORY = re.compile(
    "out of memory|OOM when|[Ff]ailed to allocate|Dst tensor is not initialized", re.IGNORECASE
)
_STRERRORS = sorted(map(re.escape, {os.strerror(number) for number in errno.errorcode}), key=len)
# `/tmp/x; No such file or directory`, as TensorFlow writes it.
_SAID_OF_PATH = re.compile(rf"(?P<place>[^;\n]+); (?P<reason>{'|'.join(reversed(_STRERRORS))})")
_RUST = re.compile(r"(?:.*: )?(?P<reason>[^:]+) \(os error \d+\)")
_FRAME = re.compile(r"^(\{\{.*?\}\} ?)+|\s*\[Op:\w+\].*$")


class Failure(NamedTuple):
    """What the system or a library says.

    Args:
        reason: str. One line.
        place: str or None. The file, where it says which.
        is_of_memory: bool. Whether there is too little memory.
    """

    reason: str
    place: str | None = None
    is_of_memory: bool = False


def failure_of(error: BaseException) -> Failure | None:
    """Returns what an exception says of files, disks, memory or networks.

    Args:
        error: Any exception.

    Returns:
        `Failure`, or None where it speaks of something else, as bugs do.

    Example:

    ```python
    failure_of(OSError(28, "No space left on device", "model.safetensors")).reason
    failure_of(TypeError("no such argument"))       # None
    ```
    """
    names = {(kind.__module__.split(".")[0], kind.__name__) for kind in type(error).__mro__}
    place = _name_of(getattr(error, "place", None) or getattr(error, "filename", None))
    if isinstance(error, MemoryError):
        return Failure(_line(error), place, is_of_memory=True)
    if isinstance(error, OSError):
        if error.errno in _OWN_FAULTS:
            return None
        return Failure(error.strerror or _line(error), place, error.errno == errno.ENOMEM)
    if isinstance(error, UnicodeError):
        return Failure(_line(error), place)
    if isinstance(error, EOFError) or names & _OF_DAMAGED_FILES:
        said = _RUST.match(_line(error))
        return Failure(said["reason"] if said else f"damaged: {_line(error)}", place)
    if ("sqlite3", "Error") in names:
        return Failure(_line(error), place)
    if ("concurrent", "BrokenExecutor") in names:
        return Failure("a process was ended before its work was", place, is_of_memory=True)
    if ("tensorflow", "OpError") in names:
        return _of_tensorflow(error.message or "", {name for _, name in names}, place)
    return None


def _of_tensorflow(message: str, names: set[str], place: str | None) -> Failure | None:
    line = next((line for line in message.splitlines() if line.strip()), "")
    line = _FRAME.sub("", line).strip()
    if said := _SAID_OF_PATH.search(_FRAME.sub("", message)):
        return Failure(said["reason"], place or said["place"].strip())
    if "ResourceExhaustedError" in names or _OF_MEMORY.search(message):
        return Failure(line, place, is_of_memory=True)
    if "DataLossError" in names or _OF_CHECKPOINTS.search(message):
        return Failure(f"damaged: {line}", place)
    return Failure(line, place) if names & _OF_NETWORKS else None


def name_place(error: BaseException, place: str | os.PathLike, temporary: str | os.PathLike = ""):
    """Has what the system says name the file that the user knows.

    Writing to a full disk raises an error without a name, and one in a temporary file or directory
    names that.

    Args:
        error: Any exception; bugs stay as they are.
        place: What is being written.
        temporary: The file or directory in which it is.
    """
    failure = None if isinstance(error, InputError) else failure_of(error)
    if failure is None:
        return
    named, inside = failure.place, f"{os.fspath(temporary)}{os.sep}"
    if named is None or (temporary and f"{named}{os.sep}".startswith(inside)):
        if isinstance(error, OSError) and error.errno is not None:
            # Deleted, because None would be shown as the second of two names.
            del error.filename2
            error.filename = os.fspath(place)
        else:
            error.place = os.fspath(place)


def reason_of(error: BaseException) -> str:
    """Returns what an exception says, in one line and without its file."""
    failure = failure_of(error)
    return failure.reason if failure else _line(error)


def _name_of(filename: object) -> str | None:
    return os.fsdecode(filename) if isinstance(filename, str | bytes | os.PathLike) else None


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
