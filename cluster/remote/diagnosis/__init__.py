"""Programs that bring what a host knows of a failure."""
