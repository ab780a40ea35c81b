"""The domain: what to run on hosts, what they say, and what it means.

Never prints, never parses an argument list, never reads its own environment, and imports neither ray, vllm
nor torch.
"""
