"""The GPUs of a host: files in /dev that processes hold open, and an nvidia-smi that sees who does.

All but `install` runs on the hosts, with the standard library alone.
"""
