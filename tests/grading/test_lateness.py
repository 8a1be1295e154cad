"""How late a submission is, and what that costs."""

from datetime import datetime, timedelta

import pytest

from diffusion_lab.grading.lateness import Deduction, Policy, in_words, moment
from diffusion_lab.grading.rows import Row, TaskGrade, lateness_text

DUE = "2026-11-30 12:00"


def row(handed_in: str = "", points: float = 8, **more) -> Row:
    return Row(
        "anna",
        "01",
        "graded",
        10,
        [TaskGrade("1.1", points, 10, "passed")._asdict()],
        handed_in=handed_in,
        **more,
    )


@pytest.mark.parametrize(
    ("policy", "handed_in", "penalty"),
    [
        ("-10%/day", "2026-11-30T12:00:40", 0),  # the minute counts to its end
        ("-10%/day", "2026-11-30T12:01:00", 1),
        ("-10%/day", "2026-12-01T12:00:59", 1),
        ("-10%/day", "2026-12-01T12:01:00", 2),
        ("-10%/day", "2027-12-01T12:00:00", 8),  # never more than there is
        ("-10%/day,max 3", "2027-12-01T12:00:00", 3),
        ("-10%/day,max 3,then 0", "2026-12-03T12:00:00", 3),
        ("-10%/day,max 3,then 0", "2026-12-04T12:00:00", 8),
        (" -1.5 / hour , max 2 ", "2026-11-30T12:30:00", 1.5),
        ("-1.5/hours,max 2", "2026-11-30T18:00:00", 3),
        ("-25%/week", "2026-12-05T12:00:00", 2.5),
    ],
)
def test_policy_costs_what_it_says(policy, handed_in, penalty):
    graded = Policy.read([DUE], policy).applied(row(handed_in))
    assert graded.penalty == penalty
    assert graded.score == 8 - penalty
    assert bool(graded.late) == bool(penalty)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10%/day",
        "-10%",
        "-x%/day",
        "-10%/year",
        "-10%/day,max 0",
        "-10%/day,max",
        "-10%/day,then 0",
        "-5%/day,",
    ],
)
def test_policy_that_cannot_be_read_is_one_line(text):
    with pytest.raises(ValueError, match=r"late: a deduction such as -10%/day.* was wanted, got ") as refused:
        Policy.read([DUE], text)
    assert repr(text) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_moments_are_read_as_people_write_them():
    assert moment("2026-11-30") == datetime(2026, 11, 30, 23, 59, 59, 999_999)
    assert moment(" 2026-11-30T23:59 ") == datetime(2026, 11, 30, 23, 59, 59, 999_999)
    assert moment("2026-11-30 23:59:10") == datetime(2026, 11, 30, 23, 59, 10)
    assert moment("2026-11-30 10:00:10Z") == moment("2026-11-30 11:00:10+01:00")
    for text in ("tomorrow", "30.11.2026", ""):
        with pytest.raises(
            ValueError, match=r"due: a moment such as 2026-11-30 or 2026-11-30 23:59 was wanted, got"
        ):
            moment(text)


def test_exercises_are_due_when_they_are():
    policy = Policy.read(["2026-11-30", "1=2026-12-31"], "-10%/day")
    late = row("2026-12-02T00:00:00")
    assert policy.applied(late).penalty == 0
    assert policy.applied(Row("a", "02", "graded", 10, late.tasks, handed_in=late.handed_in)).penalty == 2
    assert Policy.read([], None) is None
    with pytest.raises(ValueError, match=r"late: .* nothing says when it is late: due"):
        Policy.read([], "-10%/day")
    with pytest.raises(ValueError, match=r"due: one moment for exercise 01 was wanted"):
        Policy.read(["01=2026-11-30", "1=2026-12-01"], None)


def test_mark_of_the_server_counts_where_the_date_does_not():
    policy = Policy.read([DUE], "-10%/day")
    marked = policy.applied(row("2026-11-29T00:00:00", marked_late=True))
    assert (marked.penalty, marked.score) == (1, 7)
    assert "its name says that it is late" in marked.notes[0]
    assert policy.applied(row("", marked_late=True)).penalty == 1
    assert policy.applied(row("2026-12-01T18:00:00", marked_late=True)).penalty == 2
    own = policy.applied(row("2026-12-01T00:00:00", marked_late=True), datetime(2026, 12, 2))
    assert (own.penalty, own.late) == (0, "")  # an extension of one's own is not known to the server


def test_nothing_is_lost_where_nothing_is_known():
    policy = Policy.read([DUE], "-10%/day")
    assert policy.applied(row("")) == row("")
    unread = Row("a", "01", "UNREADABLE", 10, [], handed_in="2026-12-24T00:00:00")
    assert (policy.applied(unread).score, policy.applied(unread).late) == (None, "24 days")
    assert Policy.read([DUE], None).applied(row("2026-12-24T00:00:00")).score == 8


def test_lateness_in_words():
    minutes = [in_words(timedelta(minutes=count)) for count in (0.5, 5, 60, 61, 24 * 60 + 1)]
    assert minutes == ["1 minute", "5 minutes", "60 minutes", "1 hour", "2 days"]
    assert lateness_text(row(late="2 days", penalty=1.8)) == "2 days late: -1.8 points"
    assert lateness_text(row(late="2 days")) == "2 days late"
    assert lateness_text(row(marked_late=True)) == "late, says its name"
    assert Deduction.read("-10%/day").points(timedelta(days=1), 0.5, 9) == 0.5
