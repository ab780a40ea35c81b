"""One file a phase, or a pair of the same kind. None imports another."""
