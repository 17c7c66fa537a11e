"""The error and the warning that tell users what is wrong with what they gave."""


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
