"""Pre-training, fine-tuning and what they share."""
