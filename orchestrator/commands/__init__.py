"""One file a command: `run(invocation, …)` carries it out, says its result, and returns its exit code."""
