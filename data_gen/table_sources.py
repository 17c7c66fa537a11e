"""Sources that are tables: Parquet files and prepared TensorFlow Datasets."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_gen.documents import Document, Source
from data_gen.paragraphs import gather, split_paragraphs
from data_gen.rows import TEXT, UNIT_FIELDS, row_paragraphs
from data_gen.tables import check_field
from keras_bert.errors import InputError
from keras_bert.prepared_data import prepared_builder

TFDS_PREFIX = "tfds:"
_TFDS_FORM = f"{TFDS_PREFIX}NAME[/CONFIG][:VERSION][@SPLIT][#FIELD]"
_TFDS_PATTERN = re.compile(
    re.escape(TFDS_PREFIX) + r"(?P<name>[^@#]+)(?:@(?P<split>[^#]+))?(?:#(?P<field>.+))?"
)
_ROWS_AT_A_TIME = 64
_BUFFER_BYTES = 1 << 20


class ParquetSource(Source):
    """The documents of a Parquet file: the column `text`, and `words` or `spans` where they are.

    Memory holds some rows, and what the file compresses together.

    Args:
        path: Path.
        field: str or None. The column of the text; None stands for `text`.

    Example:

    ```python
    documents = list(ParquetSource(Path("corpus.parquet")).documents())
    ```
    """

    def __init__(self, path: Path, field: str | None = None):
        super().__init__(str(path), path.stat().st_size)
        self.path = path
        self.field = field or TEXT

    def documents(self) -> Iterator[Document]:
        """Yields the documents.

        Raises:
            InputError: If pyarrow is not installed, the file is damaged, or a row breaks a rule.
                The message names file and row.
        """
        self.bytes_read = 0
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise InputError(
                f"{self.path}: reading Parquet needs the package pyarrow (the extra `parquet`)"
            ) from error
        number = 0
        try:
            # Without a buffer it would read a column of a whole row group at once.
            with pyarrow.parquet.ParquetFile(
                self.path, pre_buffer=False, buffer_size=_BUFFER_BYTES
            ) as file:
                names = file.schema_arrow.names
                check_field(self.field, names, str(self.path), "column")
                total = file.metadata.num_rows
                columns = [self.field, *(name for name in UNIT_FIELDS if name in names)]
                batches = file.iter_batches(_ROWS_AT_A_TIME, columns=columns, use_threads=False)
                for batch in batches:
                    for row in batch.to_pylist():
                        number += 1
                        yield from gather(
                            row_paragraphs(row, f"{self.path}, row {number}", self.field)
                        )
                        self.bytes_read = self.bytes * number // total
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
            raise InputError(f"{self.path}: cannot read after row {number}: {error}") from error
        self.bytes_read = self.bytes


class TfdsSource(Source):
    """The documents of a data set that TensorFlow Datasets has prepared on this machine.

    Nothing is downloaded. The data sets are those below the directory that the environment variable
    `TFDS_DATA_DIR` names, by default `~/tensorflow_datasets`.

    Args:
        name: str. `tfds:NAME[/CONFIG][:VERSION][@SPLIT][#FIELD]`, such as
            `tfds:wikipedia/20230601.en@train[:10%]#text`. Without `@SPLIT` it is the split
            `train`, so that nobody trains on test data unasked; without `#FIELD` the field is
            that of `field`.
        field: str or None. The field of the text; None stands for `text`.

    Raises:
        InputError: If the name has another form, or the data set is not prepared or lacks the
            split or the field.

    Example:

    ```python
    documents = TfdsSource("tfds:wikipedia/20230601.en@train[:10%]").documents()
    ```
    """

    def __init__(self, name: str, field: str | None = None):
        match = _TFDS_PATTERN.fullmatch(name)
        if match is None:
            raise InputError(f"`--input`: {_TFDS_FORM} is expected. Received: {name!r}")
        super().__init__(name, 0)
        self.data_set = match["name"]
        self.split = match["split"] or "train"
        self.field = match["field"] or field or TEXT
        builder = self._builder()
        self._check_field(builder.info.features)
        try:
            split = builder.info.splits[self.split]
        except (KeyError, ValueError) as error:
            raise InputError(
                f"`--input`: the data set has the splits {', '.join(builder.info.splits)}, to be "
                f"chosen as @SPLIT. Received: {self.split!r} in {name!r}"
            ) from error
        self.examples = split.num_examples
        # A part of a split knows its examples, not its size.
        splits = list(builder.info.splits.values())
        share = split.num_examples / max(sum(whole.num_examples for whole in splits), 1)
        self.bytes = round(share * sum(whole.num_bytes for whole in splits))

    def _builder(self):
        return prepared_builder(self.data_set, argument="--input")

    def _check_field(self, features: Any) -> None:
        import tensorflow as tf

        # Some data sets have no names for their fields.
        names = list(features) if hasattr(features, "keys") else []
        if self.field not in names:
            raise InputError(
                f"`--input`: the data set has the fields {', '.join(names)}, to be chosen as "
                f"#FIELD. Received: {self.field!r} in {self.name!r}"
            )
        spec = features[self.field].get_tensor_spec()
        if not isinstance(spec, tf.TensorSpec) or (spec.dtype, spec.shape) != (tf.string, ()):
            raise InputError(
                f"`--input`: the field must be a string. Received: {spec} for {self.field!r} "
                f"in {self.name!r}"
            )

    def documents(self) -> Iterator[Document]:
        """Yields the documents, in the order in which they are stored.

        Raises:
            InputError: If the data are damaged or a text is not UTF-8.
        """
        import tensorflow as tf
        import tensorflow_datasets as tfds

        self.bytes_read = 0
        number = 0
        data = self._builder().as_dataset(
            split=self.split,
            shuffle_files=False,
            decoders=tfds.decode.PartialDecoding({self.field: True}),
            read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
        )
        try:
            for row in data.as_numpy_iterator():
                number += 1
                text = row[self.field].decode()
                yield from gather(split_paragraphs(text))
                self.bytes_read = self.bytes * number // self.examples
        except UnicodeDecodeError as error:
            raise InputError(
                f"{self.name}, example {number}: the text must be UTF-8: {error.reason}. "
                f"Received: byte 0x{error.object[error.start]:02x}"
            ) from error
        except (tf.errors.OpError, OSError) as error:
            message = str(error).split("\n", 1)[0]
            raise InputError(
                f"{self.name}: cannot read after example {number}: {message}"
            ) from error
        self.bytes_read = self.bytes
