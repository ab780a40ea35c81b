"""What the product costs, measured: programs that are started by hand, and the laboratory for real GPUs."""
