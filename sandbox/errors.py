"""What can go wrong with a sandbox, as something a person can act on."""


class SandboxError(Exception):
    """Shown as one line, never as a traceback."""
