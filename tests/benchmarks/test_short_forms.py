"""The short forms of the goals of speed: what is beyond its limit, and what is said of it."""

from __future__ import annotations

import pytest
import short_forms
from short_forms import Goal


def _goal(name: str, figure: float, *, more_is_better: bool = False, known: float | None = None) -> Goal:
    return Goal(name, "a figure", 2, lambda: figure, more_is_better, known)


@pytest.mark.parametrize(
    ("goal", "is_kept"),
    [
        (_goal("as asked", 2), True),
        (_goal("half worse", 3), True),
        (_goal("worse", 3.01), False),
        (_goal("less, where more is better", 1.3, more_is_better=True), False),
        (_goal("enough", 1.34, more_is_better=True), True),
        (_goal("missed, as is known", 5.9, known=4), True),
        (_goal("missed by more than is known", 6.1, known=4), False),
    ],
    ids=lambda value: value.name if isinstance(value, Goal) else "",
)
def test_the_exit_code_and_the_line_tell(
    goal: Goal, is_kept: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(short_forms, "GOALS", (_goal("another", 1), goal))

    assert short_forms.main([]) == (0 if is_kept else 1)
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(goal.name))
    assert ("BEYOND ITS LIMIT" in line) is not is_kept


def test_an_unknown_name_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        short_forms.main(["deploi"])

    assert ended.value.code == 2
    assert "there is no goal deploi; there are known-shape," in capsys.readouterr().err


def test_a_goal_is_measured_by_its_own_script(capsys: pytest.CaptureFixture[str]) -> None:
    """One that takes a second stands for all: the figure is there, and positive."""
    (goal,) = (goal for goal in short_forms.GOALS if goal.name == "deploy")

    assert goal.measure() > 0
