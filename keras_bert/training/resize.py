"""`python -m keras_bert resize`."""

from pathlib import Path

from keras_bert.atomic import new_directory, write_json
from keras_bert.checkpoints import huggingface, sentence_transformers
from keras_bert.checkpoints.formats import folder_of, format_of
from keras_bert.checkpoints.resizing import resized
from keras_bert.command_line import check_unused, resolved
from keras_bert.errors import InputError
from keras_bert.outputs import check_file, check_new_directory
from keras_bert.tasks.families import check_table, read_tokenizer
from keras_bert.training.convert import compare, published_part
from keras_bert.training.options import ResizeOptions


def resize(options: ResizeOptions) -> None:
    """Adds tokens to a model and its vocabulary, and writes both as a model directory.

    The options are also written to `<destination>.config.json`.

    Raises:
        InputError: If the source cannot be read or has no vocabulary, the destination exists, the
            file of tokens cannot be read, or there is nothing to change.
    """
    if options.add_tokens is None or options.initialize == "mean":
        check_unused(options, "seed", reason="no row is random")
    if options.add_tokens is None:
        check_unused(options, "initialize", reason="`--add-tokens` is not given")
    destination = Path(options.destination)
    check_new_directory(options.destination, "destination")
    check_file(f"{destination}.config.json", "destination")
    tokens = _read_tokens(options.add_tokens) if options.add_tokens else []
    checkpoint = format_of(options.source).read(options.source)
    checkpoint.check_encoder()
    tokenizer = read_tokenizer(options.source, lowercase=False if options.cased else None)
    if tokenizer is None:
        raise InputError(f"{options.source}: has no vocabulary to add tokens to")
    check_table(tokenizer, checkpoint.config, options.source)
    old = tokenizer.vocabulary.ids
    new_tokens = [token for token in tokens if token not in old]
    larger = tokenizer.add_tokens(new_tokens) if new_tokens else tokenizer
    pieces = {
        larger.vocabulary.ids[token]: tokenizer(token).numpy().tolist() for token in new_tokens
    }
    rows = checkpoint.config.vocabulary_size
    kept = published_part(
        resized(
            checkpoint,
            max(len(larger.vocabulary), rows),
            pieces=pieces,
            pad_to=options.pad_to,
            initialize=options.initialize,
            seed=options.seed,
        ),
        huggingface,
    )
    if not new_tokens and kept.config.vocabulary_size == rows:
        raise InputError(
            f"{options.source}: nothing to change: `--add-tokens` names no new token, and the "
            f"table has {rows} rows already"
        )
    vectors = sentence_transformers.read(folder_of(options.source))
    with new_directory(destination) as temporary:
        huggingface.write(kept, temporary)
        compare(kept, huggingface.read(temporary), destination)
        if vectors:
            width = kept.config.hidden_dim
            sentence_transformers.write(temporary, **vectors, hidden_dim=width)
        larger.save_assets(temporary)
        write_json(f"{destination}.config.json", resolved(options))
    print(
        f"{destination}: {len(new_tokens)} tokens added, {len(tokens) - len(new_tokens)} were "
        f"there; {len(larger.vocabulary)} tokens, {kept.config.vocabulary_size} rows"
    )


def _read_tokens(path: str) -> list[str]:
    """The tokens of a file, one a line, each once; spaces around them go."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot read the tokens: {reason}") from error
    tokens = dict.fromkeys(line.strip() for line in text.splitlines())
    tokens.pop("", None)
    if not tokens:
        raise InputError(f"{path}: must hold a token a line. Received: none")
    return list(tokens)
