"""Raw text to verified pre-training shards."""
