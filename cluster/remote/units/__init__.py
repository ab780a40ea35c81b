"""Programs that launch, watch and stop a unit on a host."""
