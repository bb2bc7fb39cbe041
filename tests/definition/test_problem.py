from lifecycle.definition.problem import Problem, Source, Spot, did_you_mean

SOURCE = Source(
    "x.yaml",
    values={(): (1, 1), ("states",): (2, 3), ("states", "a"): (2, 6), ("states", "a", 0): (2, 9)},
    keys={("states",): (1, 1), ("states", "a"): (2, 3)},
)


def test_a_problem_is_a_line_that_editors_jump_to() -> None:
    """File, line, column, what, remedy; a remedy may be missing."""
    problem = Problem(file="x.yaml", line=3, column=7, what="no state named `b`", remedy="did you mean `a`?")
    assert str(problem) == "x.yaml:3:7: no state named `b`: did you mean `a`?"
    assert str(Problem(file="x.yaml", line=1, column=1, what="it is late")) == "x.yaml:1:1: it is late"


def test_problems_stand_in_the_order_of_their_places() -> None:
    """By file, line and column, as numbers."""
    places = [("a", 9, 1), ("a", 10, 2), ("a", 10, 10), ("b", 1, 1)]
    problems = [Problem(file=file, line=line, column=column, what="w") for file, line, column in places]
    assert sorted(problems) == problems


def test_a_spot_knows_its_key_and_its_value() -> None:
    """A problem points at the value, or at the key where that is what is wrong."""
    spot = Spot(SOURCE) / "states" / "a"
    assert str(spot.problem("w")) == "x.yaml:2:6: w"
    assert str(spot.problem("w", "r", key=True)) == "x.yaml:2:3: w: r"


def test_a_spot_that_is_not_written_is_told_at_the_nearest_that_is() -> None:
    """What a short form makes explicit has no place of its own."""
    spot = Spot(SOURCE) / "states" / "a" / 0 / "word"
    assert str(spot.problem("w")) == "x.yaml:2:9: w"
    assert str(spot.problem("w", key=True)) == "x.yaml:2:3: w"
    assert str(Spot(SOURCE, ("nowhere",)).problem("w", key=True)) == "x.yaml:1:1: w"
    assert str(Spot(Source("<made>"), ("a",)).problem("w")) == "<made>:1:1: w"


def test_the_remedy_for_a_wrong_name_is_the_nearest() -> None:
    """Else what there is; a long list is cut short."""
    assert did_you_mean("wating", ["waiting", "closed"]) == "did you mean `waiting`?"
    assert did_you_mean("x", ["waiting", "closed", "closed"]) == "there is closed, waiting"
    assert did_you_mean("x", [], "declare it") == "declare it"
    assert did_you_mean("x", ["waiting"], "declare it") == "declare it"
    assert did_you_mean("x", []) == "there is none"
    assert did_you_mean(7, ["waiting"]) == "there is waiting"
    many = did_you_mean("x", [f"name{n:02}" for n in range(13)])
    assert many.startswith("there is name00, ")
    assert many.endswith("name11, …")
