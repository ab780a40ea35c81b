"""One command on one cluster: what it was asked, what it needs around it, and what is kept of it."""
