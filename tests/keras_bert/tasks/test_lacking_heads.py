"""A model that is to answer must have its heads: those drawn at random answer nothing."""

import pytest
from safetensors.numpy import load_file, save_file

from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.models.span_predictor import BertSpanPredictor
from keras_bert.tasks.families import load_predictor
from keras_bert.text.tokenizer import BertTokenizer


@pytest.mark.parametrize(
    ("make", "head", "word"),
    [
        (BertClassifier, "classifier.", "classes"),
        (BertSpanPredictor, "qa_outputs.", "answer spans"),
        (BertPretrainer, "cls.predictions.", "masked language model"),
    ],
)
def test_a_head_that_is_missing_is_named(vocabulary, tmp_path, make, head, word):
    config = BertConfig(
        vocabulary_size=len(vocabulary), num_layers=1, hidden_dim=8, num_heads=2, intermediate_dim=8
    )
    model = make(config, **({"num_classes": 2} if make is BertClassifier else {}))
    model.save_checkpoint(tmp_path, tokenizer=BertTokenizer(vocabulary))
    load_predictor(tmp_path)
    arrays = load_file(tmp_path / "model.safetensors")
    kept = {name: array for name, array in arrays.items() if not name.startswith(head)}
    save_file(kept, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=rf"model\.safetensors.*lacks {word} \({head[:-1]}"):
        load_predictor(tmp_path)
