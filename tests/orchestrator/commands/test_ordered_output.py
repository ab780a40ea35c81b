"""What hosts bring is shown in their order, and no later than need be."""

from __future__ import annotations

from orchestrator.commands.ordered_output import OrderedOutput


def test_each_is_shown_once_all_before_it_have_been() -> None:
    shown: list[tuple[str, int]] = []
    bring = OrderedOutput[int](["a", "b", "c"], lambda host, brought: shown.append((host, brought)))
    bring("b", 2)
    assert shown == []
    bring("a", 1)
    assert shown == [("a", 1), ("b", 2)]
    bring("c", 3)
    assert shown[2:] == [("c", 3)]
