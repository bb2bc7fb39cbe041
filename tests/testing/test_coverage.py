"""The coverage of clauses is what the machines did: no more, no less, and by name."""

import importlib.metadata
import json
import re
from pathlib import Path

import pytest

from lifecycle.definition.read import read, read_text, specs
from lifecycle.machine.machine import Machine
from lifecycle.testing import Puppet
from lifecycle.testing.coverage import Gap, Recorder, possible

pytest_plugins = ["pytester"]

# an installed wheel brings the plugin by its entry point; a checkout does not
INSTALLED = any(each.value == "lifecycle.testing.plugin" for each in importlib.metadata.entry_points(group="pytest11"))
PLUGIN = () if INSTALLED else ("-p", "lifecycle.testing.plugin")
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
LIGHT = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")

LAMP = """\
lifecycle: 1
page: lamp
role: session
hears: {press: {}, disconnect: {}}
states:
  off:
    status: idle
    rest: true
    clauses:
      L1: {on: press, to: on}
  on:
    status: ready
    clauses:
      L2: {on: press, to: off}
      L3: {after: 1 h, to: off}
  gone: {status: closed, final: done}
clauses:
  L4: {on: disconnect, to: gone}
"""

TESTS = """
from lifecycle.testing import Puppet

def test_it_is_lit():
    lamp = Puppet("lamp.yaml")
    lamp.start()
    lamp.tell("press")

def test_it_goes_out():
    lamp = Puppet("lamp.yaml")
    lamp.start()
    lamp.tell("press")
    lamp.run_out("1_h")
"""


@pytest.fixture
def run(pytester):
    """Run the tests of a lamp with options; the exit code, and the lines behind the tests' own."""
    pytester.makefile(".yaml", lamp=LAMP)
    pytester.makepyfile(test_lamp=TESTS)

    def run(*options, tests="test_lamp.py", plugins=()):
        done = pytester.runpytest_inprocess(*PLUGIN, "-q", *LIGHT, *options, tests, plugins=plugins)
        lines = [line for line in done.outlines if not line.startswith(("bringing up", "created:"))]
        start = next((place for place, line in enumerate(lines) if "clauses of pages" in line), None)
        report = (
            []
            if start is None
            else [line for line in lines[start + 1 :] if line and not re.search(r" in \d+\.\d\ds", line)]
        )
        return done.ret, report, done.outlines + done.errlines

    return run


def test_what_never_fired_is_told_by_name(run):
    """The page that was run, how much of it, and each clause that was not, with its line."""
    code, report, _ = run("--lifecycle-coverage")
    assert (code, report) == (
        0,
        ["lamp    2 of   4 exercised      50 %", "  never L4  lamp.yaml:18", "  never L2  lamp.yaml:14"],
    )


def test_a_named_page_is_told_of_though_nobody_ran_it(run):
    """By its file, its folder or the name of a bundled one; others are then left out."""
    code, report, _ = run("--lifecycle-coverage-of=heartbeat", "--lifecycle-coverage-of=.")
    assert (code, [line for line in report if "exercised" in line]) == (
        0,
        ["heartbeat    0 of   3 exercised       0 %", "lamp         2 of   4 exercised      50 %"],
    )
    assert any("never HB2" in line and line.endswith("heartbeat.yaml:20") for line in report)


def test_too_little_fails_the_run_if_that_is_asked_for(run):
    """The page and the number are told; enough does not fail, and neither does a run that only collects."""
    code, report, _ = run("--lifecycle-coverage-of=lamp.yaml", "--lifecycle-coverage-fail-under=50.5")
    asked = "FAILED: lamp: the tests exercise 50 % of its clauses, and --lifecycle-coverage-fail-under asks for 50.5 %"
    assert (code, report[-1]) == (pytest.ExitCode.TESTS_FAILED, asked)
    assert run("--lifecycle-coverage", "--lifecycle-coverage-fail-under=50")[0] == 0
    only_collected = run("--lifecycle-coverage-of=lamp.yaml", "--lifecycle-coverage-fail-under=100", "--collect-only")
    assert only_collected[:2] == (0, [])


def test_a_run_that_fails_by_itself_keeps_its_exit_code(run):
    """No test at all is told as that."""
    code, report, _ = run("--lifecycle-coverage-of=lamp.yaml", "--lifecycle-coverage-fail-under=100", "-k", "nothing")
    assert (code, len(report)) == (pytest.ExitCode.NO_TESTS_COLLECTED, 6)


def test_a_gate_that_finds_no_page_is_red(run, pytester):
    """Pages that have moved away would else be good for ever."""
    pytester.makepyfile(test_lamp="def test_nothing():\n    pass\n")
    code, report, _ = run("--lifecycle-coverage", "--lifecycle-coverage-fail-under=50")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert report[0].startswith("FAILED: no page was run")


def test_other_pages_of_the_same_name_do_not_count(run, pytester, tmp_path_factory):
    """Neither a page made of a text, nor one elsewhere, nor one that a test has changed or spoilt since."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "lamp.yaml"
    elsewhere.write_text(LAMP.replace("1 h", "3 h"))
    pytester.makepyfile(
        test_others=f"""
        from pathlib import Path
        from lifecycle.definition.read import read, read_text, specs
        from lifecycle.testing import Puppet

        def test_others():
            text = Path("lamp.yaml").read_text()
            Puppet(read_text(text.replace("1 h", "2 h"))).start()
            Puppet({str(elsewhere)!r}).start()
            for name, later in (("changed", text.replace("1 h", "4 h")), ("spoilt", "page: [")):
                file = Path(f"{{name}}.yaml")
                file.write_text(text.replace("lamp", name))
                Puppet(file).start()
                file.write_text(later.replace("lamp", name))
        """
    )
    _, report, _ = run("--lifecycle-coverage", tests="test_others.py")
    assert report == ["no page was run; what should have been can be named: --lifecycle-coverage-of=PAGE"]


def test_workers_of_xdist_are_added_up(run):
    """Each has run a half of the tests, in a process of its own."""
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    code, report, _ = run("--lifecycle-coverage", "-n2", "--dist=load")
    assert (code, report) == (
        0,
        ["lamp    2 of   4 exercised      50 %", "  never L4  lamp.yaml:18", "  never L2  lamp.yaml:14"],
    )


def test_a_worker_sends_plain_data_and_judges_nothing(run):
    """What it has counted, by the page's hash; whoever has begun it tells of it."""

    class Worker:
        workeroutput: dict[str, object]

        @pytest.hookimpl(tryfirst=True)
        def pytest_configure(self, config):
            config.workeroutput = self.workeroutput = {}

    worker = Worker()
    code, report, _ = run("--lifecycle-coverage", "--lifecycle-coverage-fail-under=100", plugins=[worker])
    sent = json.loads(json.dumps(worker.workeroutput["lifecycle_coverage"]))
    lamp = read(Path("lamp.yaml"))
    assert (code, report, sent) == (0, [], {lamp.hash: [str(Path("lamp.yaml").resolve()), ["L1", "L3"]]})


def test_without_the_option_nothing_is_said(run):
    """The run is as if the plugin were not there."""
    assert run()[:2] == (0, [])


def test_without_the_option_nothing_is_paid(pytester):
    """Nothing of the library is imported but its door, and no machine is touched."""
    pytester.makepyfile(
        test_light="""
        import sys

        def test_light():
            ours = {name for name in sys.modules if name.startswith("lifecycle")}
            assert ours == {"lifecycle", "lifecycle.errors", "lifecycle.testing", "lifecycle.testing.plugin"}
            assert not {"yaml", "cattrs", "statemachine", "trio_websocket"} & set(sys.modules)
        """
    )
    assert pytester.runpytest_subprocess(*PLUGIN, *LIGHT).ret == 0


def test_the_machine_is_as_it_was_afterwards(run):
    """What counts is taken out again at the end."""
    before = Machine._note
    assert run("--lifecycle-coverage")[1] != []
    assert Machine._note is before


def test_wrong_options_are_told(run, pytester):
    """A page that is none, a folder without pages, a threshold without coverage: at once, and no test is run."""
    pytester.mkdir("empty")
    code, _, said = run("--lifecycle-coverage-of=lampe", "--lifecycle-coverage-of=empty")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert [line for line in said if "--lifecycle-coverage-of=" in line] == [
        "ERROR: --lifecycle-coverage-of=lampe: lampe:1:1: no bundled page is called `lampe`: a path ends in `.yaml`",
        "--lifecycle-coverage-of=empty: the folder holds no pages (*.yaml)",
    ]
    code, _, said = run("--lifecycle-coverage-fail-under=90")
    assert (code, "needs --lifecycle-coverage" in "\n".join(said)) == (pytest.ExitCode.USAGE_ERROR, True)


def test_a_clause_that_the_certificate_rules_out_is_no_gap():
    """The server of `greeting` never asks for a pause, so `reconnect` waits as it is told in other pages only."""
    greeting = read(EXAMPLES / "greeting.yaml")
    recorder = Recorder()
    recorder.note(greeting, [name for name in greeting.clauses if not name.startswith("waiting/")])
    found = recorder.of(greeting)
    assert found.impossible == ("waiting/R2", "waiting/R5")
    assert [gap.clause for gap in found.never] == ["waiting/R1", "waiting/R3", "waiting/R4"]
    assert int(found.percent) == 86


def test_a_page_without_a_certificate_has_no_excuse():
    """Any clause can fire, as far as anybody knows; and a page without clauses lacks none."""
    lamp = read_text(LAMP, "lamp.yaml")
    assert possible(lamp) is None
    puppet, recorder = Puppet(lamp), Recorder()
    puppet.start()
    recorder.note(lamp, puppet.clauses)
    assert recorder.of(lamp).never[0] == Gap("L4", "lamp.yaml", 18)
    none = read_text(
        "lifecycle: 1\npage: still\nrole: session\nhears: {disconnect: {}}\nstates: {a: {status: idle, rest: true, ignore: [disconnect]}}"
    )
    assert recorder.of(none).percent == 100


def test_two_recorders_are_added_up():
    """As workers are; a page that one has read from a file, and the other has made of a text, is one page."""
    text = (specs() / "heartbeat.yaml").read_text(encoding="utf-8")
    recorder, other = Recorder(), Recorder()
    recorder.note(read_text(text), ["HB1"])
    assert recorder.files == {}
    recorder.note(read_text(LAMP), ["L1"])
    other.note(read_text(text), ["HB2"])
    other.note(read("heartbeat"), [])
    recorder.add(other.plain())
    other.add(recorder.plain())
    heartbeat = read("heartbeat")
    for one in (recorder, other):
        assert one.files == {heartbeat.hash: str(specs() / "heartbeat.yaml")}
        assert (one.of(heartbeat).fired, one.of(read_text(LAMP)).fired) == (("HB1", "HB2"), ("L1",))
