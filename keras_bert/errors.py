"""The error and the warning that tell users what is wrong with what they gave."""

import re

# Around what an assertion of a graph says stand the function, the node and the operation that is
# called. Each datum of it is in brackets.
_ASSERTION = re.compile(
    r"assertion failed: (\[.*?\])\s*(?=$|\n|\[\[\{\{node|\[Op:|; expected)", re.DOTALL
)
_FRAMES = re.compile(
    r"\{\{function_node [^}]*\}\}\s*|\s*\[\[\{\{node .*|\s*\[Op:[^\]]*\].*", re.DOTALL
)


class InputError(ValueError):
    """Wrong input from the user: a file, a flag, a field or an argument.

    The message is one line that names the place (file and line, field or argument), the rule
    and what was received. The command line prints it alone and ends with exit code 2; any other
    exception is a fault of the program and keeps its traceback.
    """

    # Names that Keras and TensorFlow look for in an error: both would wrap the line, which says all
    # there is to say, into pages about the call and the graph.
    _keras_call_info_injected = True
    ag_pass_through = True


class InputWarning(UserWarning):
    """What the user gave is taken, though it may not be what was meant.

    The message is one line like that of `InputError`. The command line prints it alone.
    """


def sentence_of(message: str) -> str:
    """Returns what an error of TensorFlow says, without the frame around it.

    Args:
        message: str. Of a `tf.errors.OpError`; any number of lines.

    Example:

    ```python
    sentence_of("{{function_node f}} assertion failed: [a rule] [2] [[{{node Assert}}]] [Op:f]")
    # "a rule 2"
    ```
    """
    found = _ASSERTION.search(message)
    if found:
        return " ".join(found[1][1:-1].replace("] [", " ").split())
    lines = _FRAMES.sub("", message).strip().splitlines()
    return " ".join(lines[0].split()) if lines else message
