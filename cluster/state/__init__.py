"""What runs where, what should run, and what is left."""
