"""`python -m exports savedmodel`: model directory to a numbered SavedModel."""

import itertools
from pathlib import Path

import tensorflow as tf

from exports.options import SavedModelOptions
from exports.signatures import ClassifierModule, describe
from exports.verification import DESCRIPTION, PROBES, check_version
from keras_bert.atomic import new_directory, remove_incomplete, write_json
from keras_bert.errors import InputError
from keras_bert.tasks.classification import ClassPredictor
from keras_bert.tasks.families import load_predictor


def export(options: SavedModelOptions) -> Path:
    """Writes the next version of a model; prints its directory.

    The version appears by one rename, after it has been verified: a server that polls the
    directory never sees half a model, nor one that does not load.

    Raises:
        InputError: If the model directory is not a classifier's.
    """
    predictor = load_predictor(options.model)
    if not isinstance(predictor, ClassPredictor):
        raise InputError(
            f"{options.model}: only classifiers can be exported. Received: {predictor.name}"
        )
    model, preprocessor = predictor.model, predictor.preprocessor
    output = Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    remove_incomplete(output)
    module = ClassifierModule(model, preprocessor)
    expected = module.answer_texts(tf.constant(PROBES))["probabilities"].numpy()
    version = output / str(next_version(output))
    with new_directory(version) as temporary:
        tf.saved_model.save(module, str(temporary), signatures=module.signatures())
        write_json(temporary / DESCRIPTION, describe(model, preprocessor))
        hidden = [str(Path(options.model).resolve()), str(output.resolve())]
        check_version(temporary, expected=expected.tolist(), hidden_paths=hidden)
    print(version)
    return version


def next_version(directory: Path) -> int:
    """Returns one more than the highest version that stands in a directory."""
    versions = (int(path.name) for path in directory.iterdir() if path.name.isdigit())
    return max(itertools.chain([0], versions)) + 1
