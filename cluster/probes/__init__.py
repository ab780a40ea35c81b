"""The questions to hosts, and the trials on them."""
