"""Parts that several programs for hosts need."""
