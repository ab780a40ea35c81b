"""The running engine: its endpoint, its log, its GPUs, and NCCL's choice."""
