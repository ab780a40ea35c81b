"""The local side: settings, the inventories in use, and the operator."""
