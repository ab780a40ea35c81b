"""Programs that run trials on a host."""
