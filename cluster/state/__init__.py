"""The observed state, the desired state, and the leftovers."""
