"""What an exported model takes and answers: a module for each kind of task."""
