"""The program: which phases there are, in which order, and what a person sees of them."""
