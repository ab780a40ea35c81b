"""Programs that run a benchmark on a host."""
