"""What this machine knows: settings, the inventories in use, the operator."""
