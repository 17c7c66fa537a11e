"""Pre-training shards on disk: what an example holds, and the manifest of a directory."""

from keras_bert.records.examples import (
    BAD_EXAMPLE,
    FIELDS,
    LABEL,
    LENGTHS,
    MASK_FIELDS,
    TOKEN_FIELDS,
    encode_example,
    parse_examples,
    verify_example,
)
from keras_bert.records.manifest import (
    MANIFEST,
    Manifest,
    Shard,
    read_manifest,
    verify_shards,
    write_manifest,
    write_shard,
)

__all__ = [
    "BAD_EXAMPLE",
    "FIELDS",
    "LABEL",
    "LENGTHS",
    "MANIFEST",
    "MASK_FIELDS",
    "TOKEN_FIELDS",
    "Manifest",
    "Shard",
    "encode_example",
    "parse_examples",
    "read_manifest",
    "verify_example",
    "verify_shards",
    "write_manifest",
    "write_shard",
]
