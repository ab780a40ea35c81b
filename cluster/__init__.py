"""The domain: what to run on hosts, what their answers are, and what these mean.

It never prints, never parses an argument list and never reads its own environment. It imports neither ray, vllm
nor torch.
"""
