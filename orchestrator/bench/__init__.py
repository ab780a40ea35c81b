"""Benchmarks as this machine keeps them: what was asked for, and the folders of results."""
