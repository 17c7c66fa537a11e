"""What the models that stand on an encoder share."""

from typing import Any

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
