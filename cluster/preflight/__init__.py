"""Checks by concern: pure functions from the facts of all hosts to findings.

A finding states what was found, what was expected, why that matters, and the command that fixes it. A fact that
could not be read is a finding too (`unchecked`): that check has not passed. `run` is the sequence that `check` and
`up` share.
"""
