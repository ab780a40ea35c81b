"""The cause of a failure or a stall, from the evidence on the hosts, and the bundle with all of it."""
