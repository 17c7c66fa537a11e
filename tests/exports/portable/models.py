import dataclasses

from keras_bert.models.classifier import BertClassifier
from keras_bert.models.embedder import BertEmbedder
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.multiple_choice import BertMultipleChoice
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.models.span_predictor import BertSpanPredictor
from keras_bert.models.tagger import BertTagger

# Each model once, and each activation, epsilon and pooling.
KINDS = {
    "encoder": (BertEncoder, {}, {}),
    "no_pooler": (BertEncoder, {"pooler": False}, {"activation": "gelu", "num_heads": 1}),
    "classifier": (BertClassifier, {"num_classes": 3}, {"activation": "relu"}),
    "tagger": (BertTagger, {"num_tags": 5}, {"layer_norm_epsilon": 1e-2}),
    "span": (BertSpanPredictor, {}, {"num_segments": 3}),
    "choices": (BertMultipleChoice, {}, {}),
    "pretrainer": (BertPretrainer, {}, {"activation": "gelu"}),
    "masked_lm": (BertPretrainer, {"next_sentence": False}, {}),
    "embedder": (BertEmbedder, {}, {}),
    "embedder_max": (BertEmbedder, {"pooling": "max"}, {}),
    "embedder_cls": (BertEmbedder, {"pooling": "cls", "normalize": False}, {}),
}


def make(kind, config):
    model, arguments, changes = KINDS[kind]
    # Weights large enough for each of them to be seen in the outputs.
    config = dataclasses.replace(config, initializer_range=0.2, **changes)
    made = model(config, unpadding=False, **arguments)
    for variable in made.trainable_variables:
        if variable.path.endswith(("bias", "beta")):
            # They start as zeros, which a graph without them would have too.
            variable.assign_add([0.1 * (place % 7) for place in range(variable.shape[0])])
    return made
