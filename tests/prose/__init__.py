"""The English of this project: messages, docstrings and pages, and the rules that they keep."""
