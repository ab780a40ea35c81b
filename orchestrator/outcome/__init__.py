"""How a command ends: its exit code, its one result on stdout, and its errors on stderr."""
