"""The options of `python -m exports`."""

import dataclasses

from keras_bert.command_line import option


@dataclasses.dataclass(frozen=True)
class SavedModelOptions:
    """Options of `python -m exports savedmodel`."""

    model: str = option(help="fine-tuned model directory")
    output: str = option(help="directory that gets a new numbered version, 1, 2, ...")


@dataclasses.dataclass(frozen=True)
class VerifyOptions:
    """Options of `python -m exports verify`."""

    directory: str = option(help="version directory, such as exported/1", positional=True)
