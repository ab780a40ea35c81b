"""Results as a page to look at, and as tables for other programs."""
