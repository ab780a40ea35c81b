"""The command line: its words, its exit codes and its streams."""
