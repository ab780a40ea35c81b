"""A scripted stand-in for `vllm serve`: the tests' alone.

It takes its GPUs through the real Ray, writes vLLM's log lines, answers its routes, and misbehaves
as a scenario asks. All but `install` runs on the hosts, with the standard library and Ray.
"""
