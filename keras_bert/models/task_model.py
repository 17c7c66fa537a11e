"""What the models that stand on an encoder share."""

from typing import Any

from keras import ops

from keras_bert.config import BertConfig
from keras_bert.layers.heads import ClassificationHead
from keras_bert.models.base import BertModel
from keras_bert.models.encoder import BertEncoder


class TaskModel(BertModel):
    """Base of the models of an encoder, `encoder`, and heads.

    Args:
        config: `BertConfig`.
        unpadding: bool or None. See `BertEncoder`.
        pooler: bool. See `BertEncoder`.
        **kwargs: Further arguments of `BertModel`.
    """

    def __init__(
        self,
        config: BertConfig,
        *,
        unpadding: bool | None = None,
        pooler: bool = True,
        **kwargs: Any,
    ):
        super().__init__(config, unpadding=unpadding, **kwargs)
        self.encoder = BertEncoder(
            self.config, unpadding=unpadding, pooler=pooler, dtype=self.dtype_policy, name="encoder"
        )

    def _make_head(self, num_classes: int, name: str, *, dropout: float = 0.0):
        return ClassificationHead(
            num_classes,
            dropout=dropout,
            initializer_range=self.config.initializer_range,
            dtype=self.dtype_policy,
            name=name,
        )


def rows_of_texts(inputs: dict[str, Any]) -> tuple[dict[str, Any], tuple[Any, Any]]:
    """Makes each of several texts of an example a row of the encoder's.

    Args:
        inputs: the encoder's dictionary, each tensor `(batch, texts, ...)`.

    Returns:
        The dictionary with tensors `(batch * texts, ...)`, and the pair `(batch, texts)`.
    """
    batch, texts = ops.shape(inputs["padding_mask"])[:2]
    rows = {
        name: ops.reshape(tensor, (batch * texts, *ops.shape(tensor)[2:]))
        for name, tensor in inputs.items()
    }
    return rows, (batch, texts)
