"""One file a command: `run(request, settings)` carries it out, says its result, and returns its exit code."""
