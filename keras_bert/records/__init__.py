"""Pre-training shards on disk: what an example holds, and the manifest of a directory."""

from keras_bert.records.examples import (
    FIELDS,
    LABEL,
    LENGTHS,
    MASK_FIELDS,
    TOKEN_FIELDS,
    damage_in,
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
    "FIELDS",
    "LABEL",
    "LENGTHS",
    "MANIFEST",
    "MASK_FIELDS",
    "TOKEN_FIELDS",
    "Manifest",
    "Shard",
    "damage_in",
    "encode_example",
    "parse_examples",
    "read_manifest",
    "verify_example",
    "verify_shards",
    "write_manifest",
    "write_shard",
]
