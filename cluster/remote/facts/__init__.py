"""The program that brings all facts of a host, by subject."""
