"""One command on one cluster: its request, its surroundings, and its record."""
