"""What other people's programs, hosts and files rely on, recorded in `golden/`.

An addition is allowed, and is added to its record; whatever is recorded never changes and never goes. A test here
reaches what it records by the command line, by JSON, and by files where it can: modules, classes and functions
may all be renamed, and then an import changes here, never a record.
"""
