"""The running engine: its endpoint, its log, its GPUs, and what NCCL chose."""
