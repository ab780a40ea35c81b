"""The guide's work on one GPU with weights that spread tokens over all experts, which dummy weights do not."""
