from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lifecycle.definition.definition import Definition
from lifecycle.definition.grow import MOST_USES
from lifecycle.definition.page import Effect
from lifecycle.definition.read import read, read_text
from lifecycle.errors import PageError

# Waits, tries, and ends in `done` or in `lost.inner`.
INNER = """
parameters: {pause: {duration: 5 s, min: 1 s, max: 1 min}, most: {count: 3}}
variables: {tries: {count: 0, max: most}}
calls: {fetch: {returns: {frame: object}, timeout: 10 s}}
states:
  trying:
    enter: {set: {tries: =tries + 1}}
    call: fetch
    clauses:
      I1: {on: done, to: over}
      I2: {on: failed, when: tries < most, to: pausing}
      I3: {on: failed, to: spent}
  pausing: {clauses: {I4: {after: pause, to: trying}}}
  over: {final: done}
  spent: {final: lost.inner}
"""
# One slot, in a frame that others should not have to write.
FRAME = """
parameters: {patience: {duration: 10 s}}
hears: {stop: {}}
enter: {emit: framed}
exit: {emit: unframed}
states:
  door: {clauses: {F0: {after: patience, to: room}, F2: {on: stop, to: over}}}
  room:
    slot: true
    rest: true
    status: ready
    clauses: {F1: {on: stop, to: over}}
  over: {final: done}
"""
PAGES = {"inner": INNER, "frame": FRAME}
TAIL = "  end: {rest: true}\n"
USE = "states:\n  u:\n    use: inner\n    clauses: {P1: {on: [done, lost], to: end}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the two pages that the tests use."""
    write(tmp_path, PAGES)
    return tmp_path


@pytest.fixture
def page(folder: Path) -> Callable[[str], Definition]:
    """Read a page of which the first two lines are not given."""
    return lambda text: read_text(f"lifecycle: 1\npage: p\n{text}", "p.yaml", folder)


def write(folder: Path, pages: Mapping[str, str]) -> None:
    """Pages as files, each with the head that its name asks for."""
    for name, text in pages.items():
        (folder / f"{name}.yaml").write_text(f"lifecycle: 1\npage: {name}\n{text.lstrip()}", encoding="utf-8")


def test_a_used_page_becomes_the_inside_of_a_state(page: Callable[[str], Definition]) -> None:
    """Paths are full, clause ids say where they come from, and the state knows what it is."""
    found = page(USE + TAIL)
    assert list(found.states) == ["", "u", "u.trying", "u.pausing", "u.over", "u.spent", "end"]
    assert list(found.clauses) == ["P1", "u/I1", "u/I2", "u/I3", "u/I4"]
    assert found.clauses["u/I4"].to == "u.trying"
    assert found.states["u"].used == "inner"
    assert found.sources["lost.inner"] == "final"


def test_parameters_surface_variables_get_the_use_point(page: Callable[[str], Definition]) -> None:
    """What is not fixed belongs to the embedder; what is remembered belongs to the place."""
    found = page(USE + TAIL)
    assert {name: each.default for name, each in found.parameters.items()} == {"pause": 5.0, "most": 3}
    assert found.variables["u.tries"].max is not None
    assert found.origins == {"pause": "inner", "most": "inner", "u.tries": "inner", "fetch": "inner"}
    when = found.clauses["u/I2"].when
    assert when is not None
    assert when.text == "u.tries < most"
    assert found.states["u.trying"].enter == (
        Effect(word="set", argument={"u.tries": found.states["u.trying"].enter[0].argument["u.tries"]}),
    )


def test_the_page_that_uses_reads_and_sets_its_variables(page: Callable[[str], Definition]) -> None:
    """By the use-point's name, with a dot."""
    text = (
        "states:\n  u:\n    use: inner\n    clauses: {P1: {on: [done, lost], when: u.tries > 1, do: {set: "
        "{u.tries: 0}}, to: end}, P2: {on: [done, lost], to: end}}\n"
    )
    found = page(text + TAIL)
    assert found.clauses["P1"].do == (Effect(word="set", argument={"u.tries": 0}),)


def test_with_fixes_a_parameter_to_a_value_or_an_expression(page: Callable[[str], Definition]) -> None:
    """It is read as the type of the parameter, and is then nobody's any more."""
    parameters = "parameters: {limit: {count: 2}}\n"
    found = page(parameters + USE.replace("inner\n", "inner\n    with: {pause: 2 s, most: =limit * 2}\n") + TAIL)
    assert list(found.parameters) == ["limit"]
    [clock] = found.clocks
    assert clock.length == 2.0
    when = found.clauses["u/I2"].when
    assert when is not None
    assert when.text == "u.tries < limit * 2"


def test_with_may_fix_a_duration_to_none(page: Callable[[str], Definition]) -> None:
    """Then its clock never runs out; a count cannot be none."""
    found = page(
        USE.replace("inner\n", "inner\n    with: {pause: none}\n").replace("P1", "P0: {after: 1 h, to: end}, P1") + TAIL
    )
    assert [clock.text for clock in found.clocks] == ["after 1 h", "after none"]
    with pytest.raises(PageError, match=r"p\.yaml:6:18: expected a whole number of 0 or more, found None$"):
        page(USE.replace("inner\n", "inner\n    with: {most: none}\n") + TAIL)


def test_an_own_parameter_of_the_same_name_is_the_same(page: Callable[[str], Definition]) -> None:
    """This is how a page changes a default; another page's default then counts no more."""
    found = page("parameters: {pause: {duration: 7 s}}\n" + USE + TAIL)
    assert found.parameters["pause"].default == 7.0
    assert found.origins["pause"] == "p"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("pause: 10", "expected a duration with its unit, such as `10 s`, found 10"),
        ("pause: soon", "'soon' is no duration: write e.g. `10 s`"),
        ("most: many", "expected a whole number of 0 or more, found 'many'"),
        ("pause: 1 ms", "`pause` is below its `min`: `inner` says how far it can go"),
        ("pause: 1 h", "`pause` is above its `max`: `inner` says how far it can go"),
        ("pause: =paws", "`paws` reads `paws`, which is no parameter and no variable: there is most, u.tries"),
        ("pause: =tries", "`tries` reads `tries`, which is no parameter and no variable: did you mean `u.tries`?"),
    ],
)
def test_what_with_cannot_say(problems: Callable[..., list[str]], folder: Path, given: str, told: str) -> None:
    """A wrong type, a value outside the range, and names that are not this page's."""
    column = 12 + given.index(" ") + 1
    assert problems("\n" + USE.replace("inner\n", f"inner\n    with: {{{given}}}\n") + TAIL, folder) == [
        f"6:{column}: {told}"
    ]


def test_with_names_a_parameter_that_is_there(problems: Callable[..., list[str]], folder: Path) -> None:
    """Also one that a page further in brings."""
    write(
        folder,
        {"outer": "states:\n  o: {use: inner, clauses: {O1: {on: done, to: e}}}\n  e: {final: done}\nleaves: [lost]\n"},
    )
    text = "\nstates:\n  u: {use: outer, with: {PAUSE: 2 s}, clauses: {P1: {on: [done, lost], to: end}}}\n" + TAIL
    assert problems(text.replace("PAUSE", "pause"), folder) == []
    assert problems(text.replace("PAUSE", "pauze"), folder) == [
        "4:26: `outer` has no parameter `pauze`: did you mean `pause`?"
    ]


TWICE = """
states:
  u: {use: inner, clauses: {P1: {on: [done, lost], to: v}}}
  v: {use: other, clauses: {P2: {on: [done, lost], to: end}}}
"""


@pytest.mark.parametrize(
    ("old", "new"), [("pause: {duration: 5 s", "pause: {duration: 6 s"), ("most: {count: 3}", "most: {number: 3}")]
)
def test_two_used_pages_that_disagree_about_a_parameter(
    problems: Callable[..., list[str]], folder: Path, old: str, new: str
) -> None:
    """Are told, unless one is fixed or this page says what the default is."""
    name = old.partition(":")[0]
    write(
        folder,
        {
            "other": INNER.replace(old, new)
            .replace("max: most", "max: 3")
            .replace("tries < most", "tries < 3 + 0 * most")
        },
    )
    told = (
        f"5:3: `other` brings the parameter `{name}` with another type or default than elsewhere: fix one "
        f"of them in `with`, or declare it in this page"
    )
    assert problems(TWICE + TAIL, folder) == [told]
    fixed = TWICE.replace("use: other", f"use: other, with: {{{name}: {'6 s' if name == 'pause' else 3}}}")
    assert problems(fixed + TAIL, folder) == []
    if name == "pause":
        assert problems("\nparameters: {pause: {duration: 9 s}}" + TWICE + TAIL, folder) == []


def test_two_used_pages_that_disagree_about_a_call(problems: Callable[..., list[str]], folder: Path) -> None:
    """Are told, unless one is renamed."""
    write(folder, {"other": INNER.replace("timeout: 10 s", "timeout: 20 s")})
    assert problems(TWICE + TAIL, folder) == [
        f"{folder}/other.yaml:5:9: two pages declare the call `fetch` differently: rename one with `as`".removeprefix(
            f"{folder}/"
        )
    ]
    assert problems(TWICE.replace("use: other", "use: other, as: {fetch: fetch_other}") + TAIL, folder) == []


def test_as_renames_events_and_calls(page: Callable[[str], Definition]) -> None:
    """Families with all their members; what it hears is what the host tells."""
    text = """
hears: {halt: {}}
states:
  u:
    use: inner
    as: {lost: missed, fetch: get}
    clauses: {P1: {on: [done, missed], to: v}}
  v: {use: frame, as: {stop: halt}, clauses: {P2: {on: done, to: end}}}
  end: {rest: true, ignore: [halt]}
"""
    found = page(text)
    assert found.states["u.spent"].final == "missed.inner"
    assert list(found.calls) == ["get"]
    call = found.states["u.trying"].call
    assert call is not None
    assert call.name == "get"
    assert found.clauses["v/F1"].on == ("halt",)


def test_as_names_what_is_there(problems: Callable[..., list[str]], folder: Path) -> None:
    """Else a misspelling would rename nothing, silently."""
    told = problems("\n" + USE.replace("inner\n", "inner\n    as: {fetsh: get}\n") + TAIL, folder)
    assert told == ["6:10: `inner` has no event and no call `fetsh`: did you mean `fetch`?"]


FILLED = """
hears: {stop: {}}
variables: {seen: {flag: false}}
states:
  u:
    use: frame
    status: waiting
    enter: {emit: mine}
    exit: {emit: ours}
    fill:
      room:
        enter: {set: {seen: true}}
        clauses: {P1: {on: stop, to: a}}
        states:
          a: {clauses: {P2: {after: patience, to: b}}}
          b: {rest: true}
    clauses: {P3: {on: done, to: end}}
  end: {rest: true, ignore: [stop]}
"""


def test_a_fill_is_the_inside_of_a_slot(page: Callable[[str], Definition]) -> None:
    """Its clauses are tried before the slot's own; it names its own states; what it does not say, the slot says."""
    found = page(FILLED)
    assert list(found.states) == ["", "u", "u.door", "u.room", "u.room.a", "u.room.b", "u.over", "end"]
    room = found.states["u.room"]
    assert [clause.id for clause in room.clauses] == ["P1", "u/F1"]
    assert room.clauses[0].to == "u.room.a"
    assert room.clauses[1].to == "u.over"
    assert room.status == "ready"
    assert not room.slot


def test_the_host_enters_last_and_leaves_first(page: Callable[[str], Definition]) -> None:
    """Its status replaces the used page's."""
    state = page(FILLED).states["u"]
    assert [effect.argument["name"] for effect in state.enter] == ["framed", "mine"]
    assert [effect.argument["name"] for effect in state.exit] == ["ours", "unframed"]
    assert state.status == "waiting"


def test_the_rest_of_a_slot_holds_only_while_it_is_empty(page: Callable[[str], Definition], folder: Path) -> None:
    """Who fills it brings clocks, or says that it rests; so does a page that the fill uses."""
    states = page(FILLED).states
    assert [states[path].rest for path in ("u.room", "u.room.a", "u.room.b")] == [False, False, True]
    empty = page(
        "hears: {stop: {}}\nstates: {u: {use: frame, clauses: {P1: {on: done, to: end}}}, end: {rest: "
        "true, ignore: [stop]}}"
    ).states["u.room"]
    assert (empty.rest, empty.slot) == (True, True)
    write(folder, {"resting": "rest: true\nstates: {r: {}}\n"})
    text = FILLED[: FILLED.index("        enter: {set")] + "        use: resting\n        enter: {set: {seen: true}}\n"
    states = page(text + FILLED[FILLED.index("    clauses: {P3") :]).states
    assert [states[path].rest for path in ("u.room", "u.room.r")] == [True, True]


def test_a_filled_slot_with_an_own_rest(problems: Callable[..., list[str]], folder: Path) -> None:
    """A fill that neither rests nor has a clock is told, though the empty slot rests."""
    told = problems(FILLED.replace("after: patience", "on: stop").replace("b: {rest: true}", "b: {}"), folder)
    assert (
        "16:11: `u.room.a` may wait for ever: it has no clock and no call that ends it: give it an `after` "
        "with a `to`, or say `rest: true`"
    ) in told


def test_a_fill_may_leave_the_slot_to_the_next_host(folder: Path) -> None:
    """It is a slot again, for whoever uses the page that fills."""
    middle = (
        "hears: {stop: {}}\nstates:\n  m:\n    use: frame\n"
        "    fill: {room: {slot: true, rest: true, clauses: {M1: {after: patience, to: m}}}}\n"
        "    clauses: {M2: {on: done, to: e}}\n  e: {final: done}\n"
    )
    write(
        folder,
        {
            "middle": middle,
            "top": "hears: {stop: {}}\nstates:\n  t:\n    use: middle\n"
            "    fill: {room: {states: {x: {rest: true}}}}\n    clauses: {T1: {on: done, to: end}}\n"
            "  end: {rest: true, ignore: [stop]}\n",
        },
    )
    assert read(folder / "middle.yaml").states["m.room"].slot
    found = read(folder / "top.yaml")
    assert list(found.states) == ["", "t", "t.m", "t.m.door", "t.m.room", "t.m.room.x", "t.m.over", "t.e", "end"]
    assert [clause.id for clause in found.states["t.m.room"].clauses] == ["t/M1", "t/m/F1"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("      room:\n", "      rom:\n", "12:7: `frame` has no slot `rom`: did you mean `room`?"),
        (
            "to: a}}\n",
            "to: over}}\n",
            "14:38: no state named `over` can be reached by name from here: there is a, b, end, u",
        ),
        (
            "on: done, to: end",
            "on: done, to: u.room",
            "18:34: no state named `u.room`: `u` has no `room`: there is none",
        ),
        ("to: b}", "to: u.over}", "16:51: no state named `u.over`: `u` has no `over`: there is none"),
    ],
)
def test_the_inside_of_a_used_page_has_no_name_outside(
    problems: Callable[..., list[str]], folder: Path, old: str, new: str, told: str
) -> None:
    """Nor has a host's state one inside; slots are filled by their names."""
    assert told in problems(FILLED.replace(old, new), folder)


NAMES = """
hears: {go: {}}
states:
  a:
    states:
      b:
        states:
          c: {clauses: {P1: {on: go, to: TARGET}}}
          d: {rest: true}
        clauses: {P2: {after: 1 s, to: d}}
      d: {rest: true}
    clauses: {P3: {after: 2 s, to: b}, P4: {after: 3 s, to: b.d}, P5: {after: 4 s, to: d}}
  d: {rest: true}
  e: {rest: true}
clauses: {P6: {after: 1 h, to: d}, P7: {after: 2 h, to: e}}
"""


@pytest.mark.parametrize(
    ("name", "path"), [("d", "a.b.d"), ("c", "a.b.c"), ("b", "a.b"), ("b.d", "a.b.d"), ("a.d", "a.d"), ("e", "e")]
)
def test_a_name_means_the_nearest_state(page: Callable[[str], Definition], name: str, path: str) -> None:
    """Own children, then siblings, then those of each state around; dots go inside."""
    found = page(NAMES.replace("TARGET", name))
    assert found.clauses["P1"].to == path
    assert found.clauses["P3"].to == "a.b"
    assert found.clauses["P4"].to == "a.b.d"
    assert found.clauses["P5"].to == "a.d"
    assert found.clauses["P6"].to == "d"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("f", "no state named `f` can be reached by name from here: there is a, b, c, d, e"),
        ("d.x", "no state named `d.x`: `d` has no `x`: there is none"),
        ("a.x", "no state named `a.x`: `a` has no `x`: there is b, d"),
    ],
)
def test_a_name_that_means_no_state(problems: Callable[..., list[str]], name: str, told: str) -> None:
    """Is told with what can be named there."""
    assert problems(NAMES.replace("TARGET", name)) == [f"9:42: {told}"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "states: {u: {with: {a: 1}, rest: true}}",
            "3:14: `with` without `use`: it belongs beside the page that is used",
        ),
        ("states: {u: {as: {a: b}, rest: true}}", "3:14: `as` without `use`: it belongs beside the page that is used"),
        (
            "states: {u: {fill: {a: {}}, rest: true}}",
            "3:14: `fill` without `use`: it belongs beside the page that is used",
        ),
        (
            "states: {u: {use: heartbeat, final: done}}",
            "3:13: `use` beside states, regions or final: its inside is the used page's; fill a slot instead",
        ),
        (
            "states: {u: {states: {a: {}}, regions: {b: {}}}}",
            "3:31: both `states` and `regions`: put one inside the other",
        ),
        ("states: {u: {use: hartbeat}}", "3:19: no page is called `hartbeat`: did you mean `heartbeat`?"),
    ],
)
def test_use_and_its_companions(problems: Callable[..., list[str]], text: str, told: str) -> None:
    """A used page stands alone in its state, and what belongs to it stands beside it."""
    assert told in problems(f"\n{text}")


def test_a_slot_with_an_inside_cannot_be_filled(problems: Callable[..., list[str]], folder: Path) -> None:
    """It is filled whole."""
    write(folder, {"frame": FRAME.replace("    status: ready\n", "    status: ready\n    states: {x: {}}\n")})
    assert "frame.yaml:10:5: a slot with states of its own: a slot is filled whole: leave it empty" in problems(
        FILLED, folder
    )


def test_two_use_points_of_one_name(problems: Callable[..., list[str]], folder: Path) -> None:
    """Would give two clauses one id."""
    text = """
states:
  a: {states: {u: {use: inner, clauses: {P1: {on: [done, lost], to: b}}}}}
  b: {states: {u: {use: inner, clauses: {P2: {on: [done, lost], to: end}}}}}
"""
    assert (
        "5:16: two used pages at states called `u`: their clause ids and variables would be the same: rename one"
        in problems(text + TAIL, folder)
    )


def test_pages_that_use_each_other(folder: Path) -> None:
    """Are told with the whole circle, at the place that closes it."""
    write(
        folder, {"a": "states: {x: {use: b}}\n", "b": "states: {y: {use: a}}\n", "self": "states: {x: {use: self}}\n"}
    )
    with pytest.raises(PageError) as caught:
        read(folder / "a.yaml")
    [problem] = caught.value.problems
    assert (
        str(problem)
        == f"{folder}/b.yaml:3:19: pages that use each other in a circle: a uses b uses a: break the circle"
    )
    with pytest.raises(PageError, match="self uses self: break the circle"):
        read(folder / "self.yaml")


def test_pages_that_use_each_other_deeply(folder: Path) -> None:
    """Eight pages are one inside the other, and no ninth."""
    write(
        folder,
        {f"d{n}": f"states: {{x: {{use: d{n + 1}}}}}\n" for n in range(1, 9)} | {"d9": "states: {x: {rest: true}}\n"},
    )
    assert list(read(folder / "d2.yaml").states)[-1] == "x.x.x.x.x.x.x.x"
    with pytest.raises(PageError) as caught:
        read(folder / "d1.yaml")
    assert [str(problem) for problem in caught.value.problems] == [
        f"{folder}/d8.yaml:3:19: pages that use each other too deeply: flatten them"
    ]


def test_pages_that_grow_without_end(folder: Path) -> None:
    """A few small pages can ask for millions of states; they are refused as soon as it is seen."""
    uses = "\n".join(f"  s{n}: {{use: g#}}" for n in range(10))
    write(
        folder,
        {f"g{n}": f"states:\n{uses.replace('#', str(n + 1))}\n" for n in range(1, 8)}
        | {"g8": "states: {x: {rest: true}}\n"},
    )
    with pytest.raises(PageError) as caught:
        read(folder / "g1.yaml")
    [problem] = caught.value.problems
    assert (problem.what, problem.remedy) == (f"more than {MOST_USES} used pages", "write some of them out")


def test_a_page_beside_comes_before_a_bundled_one(folder: Path) -> None:
    """And a bundled one is found from anywhere."""
    text = "lifecycle: 1\npage: p\nstates: {u: {use: heartbeat, clauses: {P1: {on: lost, to: end}}}, end: {rest: true}}"
    assert "u/HB1" in read_text(text, "p.yaml", folder).clauses
    write(folder, {"heartbeat": INNER})
    text = text.replace("on: lost", "on: [lost, done]")
    assert "u/I1" in read_text(text, "p.yaml", folder).clauses


def test_a_used_page_is_called_as_its_file(folder: Path) -> None:
    """Else circles would not be seen."""
    (folder / "inner.yaml").write_text("lifecycle: 1\npage: other\nstates: {a: {rest: true}}\n")
    with pytest.raises(PageError) as caught:
        read_text("lifecycle: 1\npage: p\nstates: {u: {use: inner}}", "p.yaml", folder)
    assert [str(problem) for problem in caught.value.problems] == [
        f"{folder}/inner.yaml:2:7: the page is called `other` in a file called `inner`: give both the same name"
    ]


def test_nothing_half_loads(folder: Path) -> None:
    """Problems of the page and of the pages it uses come in one error, sorted, each in its own file."""
    (folder / "inner.yaml").write_text("lifecycle: 1\npage: inner\nstates: {a: {rest: maybe}, b: {stats: idle}}\n")
    (folder / "frame.yaml").write_text("lifecycle: 1\npage: [\n")
    text = (
        "lifecycle: 1\npage: p\nstates:\n  v: {use: frame}\n  u: {use: inner, clauses: {P1: {on: done, to: nowhere}}}\n"
    )
    with pytest.raises(PageError) as caught:
        read_text(text, "p.yaml", folder)
    problems = caught.value.problems
    assert list(problems) == sorted(problems)
    assert str(caught.value) == "\n".join(map(str, problems))
    assert [str(problem).removeprefix(f"{folder}/") for problem in problems] == [
        (
            "frame.yaml:3:1: not YAML: while parsing a flow node did not find expected node content: check "
            "indentation, quotes and brackets around here"
        ),
        "inner.yaml:3:20: expected true or false, found `maybe`",
        "inner.yaml:3:32: unknown key `stats`: did you mean `status`?",
        "p.yaml:5:48: no state named `nowhere` can be reached by name from here: there is u, v",
    ]


def test_secrets_that_with_fixes_reach_the_dial(folder: Path) -> None:
    """And are not shown by the expression that holds them."""
    write(
        folder,
        {
            "calling": "parameters: {token: {secret: optional}}\ndial: {headers: {Authorization: =token}}\n"
            "states: {a: {rest: true}}\n"
        },
    )
    found = read_text("lifecycle: 1\npage: p\nstates: {u: {use: calling, with: {token: hush}}}", "p.yaml", folder)
    header = found.dial.headers["Authorization"]
    assert header.function({}) == "hush"
    assert "hush" not in repr(header)


def test_the_outermost_page_says_what_things_are_called(folder: Path) -> None:
    """Each of the two names by itself; those of a used page are in its own words."""
    write(folder, {"inner": "parameters: {a: {text: x}}\ntrace: {session: =a, event: id}\nstates: {s: {rest: true}}\n"})
    host = "lifecycle: 1\npage: p\nparameters: {b: {text: y}}\nstates: {u: {use: inner, with: {a: =b}}}\n"
    found = read_text(host, "p.yaml", folder).trace
    assert (found.session.text, found.event) == ("b", "id")
    found = read_text(f"{host}trace: {{event: number}}\n", "p.yaml", folder).trace
    assert (found.session.text, found.event) == ("b", "number")


def test_an_event_without_fields(problems: Callable[..., list[str]]) -> None:
    """Reading one that nothing brings is told, in clauses with an event and without."""
    text = (
        "\nhears: {go: {}}\nvariables: {k: {kept: text}}\n"
        "states: {a: {rest: true, enter: {set: {k: =event.x}}, clauses: {P1: {on: go, do: {set: {k: "
        "=event.x}}}}}}"
    )
    what = "`event.x` reads `event.x`, and there is no event with fields here"
    remedy = "only clauses with `on` have an event, and its source says what it brings"
    assert problems(text) == [f"5:{column}: {what}: {remedy}" for column in (43, 92)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "parameters: {tls: {flag: true}}\nstates: {a: {rest: true}}",
            "3:14: a parameter called `tls`: `open` has an argument of that name: choose another",
        ),
        (
            "calls: {get: {takes: {key: text}, timeout: 1 s}}\nstates: {a: {call: get}}",
            "4:20: the call `get` needs `key`: write `{get: {key: …}}`",
        ),
        (
            "calls: {get: {takes: {key: text}, timeout: 1 s}}\nstates: {a: {call: {get: {key: x, kee: y}}}}",
            "4:35: the call `get` takes no `kee`: did you mean `key`?",
        ),
        ("states: {a: {call: get}}", "3:20: the call `get` is not declared: declare it under `calls`"),
        ("states: {a: {enter: {send: hi}}}", "3:28: no frame named `hi`: declare it under `messages: frames`"),
        (
            "variables: {tries: {count: 0, max: 1}}\nstates: {a: {enter: {set: {trys: 1}}}}",
            "4:28: no variable named `trys`: did you mean `tries`?",
        ),
        (
            "messages: {frames: {f: {a: [1, =x]}}}\nstates: {a: {rest: true}}",
            "3:32: `x` reads `x`, which is no parameter and no variable: there is none",
        ),
    ],
)
def test_names_that_are_not_declared(problems: Callable[..., list[str]], text: str, told: str) -> None:
    """Calls with their arguments, frames and variables, each told where it is named."""
    assert told in problems(f"\n{text}")


def test_clocks_that_are_spelt_alike_are_two(page: Callable[[str], Definition]) -> None:
    """Their events are named after their lengths; those of the same text are one clock."""
    clauses = "{P1: {after: n + 1, when: n > 1, to: b}, P2: {after: n - 1, to: b}, P3: {after: n + 1, to: b}}"
    found = page(
        f"parameters: {{n: {{count: 3}}}}\nstates: {{a: {{clauses: {clauses}}}, b: {{clauses: {{P4: {{after: 1 s, to: a}}}}}}}}"
    )
    assert [clock.name for clock in found.clocks] == ["timer.a.n___1", "timer.a.n___1_", "timer.b.1_s"]
    assert found.clauses["P1"].clock == found.clauses["P3"].clock
    assert [state.name for state in found.root.states] == ["a", "b"]


def test_a_backoff_that_with_fixes(page: Callable[[str], Definition]) -> None:
    """Is a constant of the clock, which says its first wait."""
    text = """
states:
  u:
    use: reconnect
    with: {redial: {first: 2 s, max: 10 s}}
    clauses: {P1: {on: done, to: u}, P2: {on: exhausted, to: end}}
"""
    found = page(text + TAIL)
    assert [clock.text for clock in found.clocks] == ["after 2 s and longer", "after u.told"]
    assert "redial" not in found.parameters


def test_only_the_own_otherwise_counts(folder: Path) -> None:
    """What a used page would do with what it does not know is its host's business."""
    rows = "causes:\n  - {close: 4001, is: lost.inner}\n  - {otherwise: true, is: lost.other}\n"
    write(folder, {"caused": f"{rows}states: {{a: {{rest: true}}}}\nleaves: [lost]\n"})
    text = "states:\n  u: {use: caused, clauses: {P1: {on: lost, to: end}}}\n"
    mine = rows.replace("inner", "mine").replace("4001", "4002").replace("other}", "own}")
    found = read_text(f"lifecycle: 1\npage: p\n{mine}{text}{TAIL}", "p.yaml", folder)
    assert [row.is_ for row in found.causes] == ["lost.mine", "lost.inner", "lost.own"]


def test_a_bundled_page_that_is_not_there() -> None:
    """Is told with the one that was meant, or how a file is named."""
    with pytest.raises(
        PageError, match=r"^websokket:1:1: no bundled page is called `websokket`: did you mean `websocket`\?$"
    ):
        read("websokket")
    with pytest.raises(PageError, match=r"a path ends in `\.yaml`$"):
        read("zzz")


def test_a_used_page_may_ignore_what_its_host_does_not_tell() -> None:
    """Only some of its hosts are told of it; what a host itself ignores must be told by something."""
    text = (
        "lifecycle: 1\npage: host\nrole: client\nhears: {disconnect: {}}\ncauses: [{otherwise: true, is: lost}]\n"
        "states:\n  online:\n    use: socketio-connection\n    clauses: {H1: {on: [done, lost, ended], to: closed}}\n"
        "  closed: {status: closed, final: done}\nclauses: {H2: {on: disconnect, to: closed}}\n"
    )
    assert read_text(text, "host.yaml").name == "host"
    with pytest.raises(PageError, match="`online` ignores `denied`, which nothing tells"):
        read_text(text.replace("    clauses: {H1", "    ignore: [denied]\n    clauses: {H1"), "host.yaml")
