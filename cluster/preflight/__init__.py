"""Checks by concern: pure functions from what is known of all hosts to findings.

A finding says what was found and what was wanted, why that matters, and the command that cures it. What could not
be looked at is a finding too (`unchecked`): it has not passed. `run` is the sequence that `check` and `up` share.
"""
