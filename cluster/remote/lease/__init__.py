"""Programs that hold and break the lease on the head."""
