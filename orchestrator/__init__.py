"""The program: which phases there are, in which order, and what an operator sees of them."""
