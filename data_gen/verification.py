"""`python -m data_gen verify`."""

from data_gen.options import VerifyOptions
from keras_bert.records import verify_shards


def verify(options: VerifyOptions) -> None:
    """Reads a shard directory whole and prints what it holds.

    Raises:
        InputError: On the first fault; the message names the shard and the example.
    """
    manifest = verify_shards(options.directory)
    print(
        f"{options.directory}: {len(manifest.shards)} shards, {manifest.examples} examples, whole"
    )
