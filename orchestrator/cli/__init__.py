"""The command line: its words and its streams."""
