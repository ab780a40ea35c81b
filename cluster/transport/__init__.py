"""How commands reach a host: over SSH or on this machine, one host or all at once; and how to wait for a host."""
