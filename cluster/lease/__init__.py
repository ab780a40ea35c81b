"""The lock of a cluster: one operator at a time holds it on the head."""
