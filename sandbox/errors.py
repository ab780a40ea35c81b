"""Errors of a sandbox that its user can correct."""


class SandboxError(Exception):
    """Shown as one line, never as a traceback."""
