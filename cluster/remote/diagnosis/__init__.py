"""Programs that bring a host's evidence of a failure."""
