"""The program that reads all facts of a host, by subject."""
