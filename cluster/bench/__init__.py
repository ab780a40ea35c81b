"""The published benchmark: its workloads, the command that measures one, and what makes a figure valid."""
