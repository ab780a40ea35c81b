"""Why something failed or stalls, from what hosts can still say, and the bundle of all of it."""
