"""vLLM: what it is launched with, what its log means, and what is asked of its endpoint. All pure."""
