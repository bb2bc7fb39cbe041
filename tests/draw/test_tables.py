import re

from lifecycle.draw.tables import code, plain, tables


def rows(text: str, title: str) -> list[list[str]]:
    """The rows of one table, without its head."""
    section = text.split(f"## {title}\n")[1].split("\n## ", maxsplit=1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def test_a_row_for_each_clause(definition):
    """Every clause has its row, in page order, and every table is square."""
    text = tables(definition)
    clauses = [row[1].strip("`") for row in rows(text, "Transitions") if row[1]]
    assert clauses == [clause.id for state in definition.root.walk() for clause in state.clauses]
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.split(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_no_space_at_the_end_of_a_line(definition):
    """The text is as editors leave it."""
    assert not re.search(r"[ \t]$", tables(definition), re.MULTILINE)
    assert tables(definition).endswith("|\n")


def test_what_a_row_says(everything, websocket):
    """Trigger and guard, what is done, where it leads, and what is told."""
    found = {row[1]: row for row in rows(tables(everything), "Transitions")}
    assert found["`T1`"] == [
        "`both.left.one`",
        "`T1`",
        "`go`, if `tries < 3`, while `both.right.three`",
        '`set tries = tries + 1, style = "b"`',
        "`both.left.two`",
        "",
    ]
    assert found["`T10`"][2] == "at once, if `tries > 1`"
    assert found["`T8`"][4] == "(stays)"
    said = {row[1]: row[5] for row in rows(tables(websocket), "Transitions")}
    assert said["`waiting/R1`"] == ""
    assert said["`WS6`"].startswith("The server was not to be reached")


def test_parameters(everything, websocket):
    """Type, default, range, origin and help; a secret is not shown."""
    found = {row[0]: row[1:] for row in rows(tables(everything), "Parameters")}
    assert found["`key`"][1] == "`<secret>`"
    assert found["`mode`"] == ["`choice: fast, slow`", "`fast`", "", "`p`", "how"]
    assert found["`waits`"][1] == "`2 s, 1 s \N{MULTIPLICATION SIGN} 2 … 8 s, jitter 50% to 150%, at least 250 ms`"
    assert "hunter2" not in tables(everything)
    origin = {row[0]: (row[3], row[4]) for row in rows(tables(websocket), "Parameters")}
    assert origin["`proven_after`"] == ("from 1 s", "`websocket`")
    assert origin["`url`"] == ("", "`connection`")


def test_variables_clocks_calls_statuses(everything):
    """The rest of what a page speaks of."""
    text = tables(everything)
    assert rows(text, "Variables")[1] == ["`told`", "`duration`", "`2 s`", "from 1 s to pause (3 s)", "`p`"]
    assert rows(text, "Variables")[3] == ["`seen`", "`kept text`", "`none`", "", "`p`"]
    assert rows(text, "Clocks")[0] == [
        "`both.left.one`",
        "`after waits (2 s, 1 s \N{MULTIPLICATION SIGN} 2 … 8 s)`",
        "`tries`",
        "",
        "`T2`",
    ]
    assert rows(text, "Calls")[0][1:5] == ["`n: number`", "`text: text`", "`pause (3 s)`", "`both.right.three`"]
    assert rows(text, "Calls")[1][2] == "yields `hello`"
    assert rows(text, "Statuses")[0] == ["`idle`", "any state of p"]


def test_causes(make):
    """Each form of a cause is said."""
    found = rows(
        tables(
            make("""
causes:
  - {match: {code: [a, b]}, is: x, retry_after: {ms: after, else: 2 s}}
  - {close: [1002, 4000-4499], is: x, retry_after: header, say: no}
  - {http: any, error: [tls, dns], text: "a|b", is: x, retry_after: 3 s}
  - {refusal: any, is: x, retry_after: {s: after}}
  - {use: rfc6455}
  - {otherwise: true, is: x}
states: {a: {}}
""")
        ),
        "Causes",
    )
    assert found[0] == ["1", '`code` is `"a"` or `"b"`', "`x`", "`after` in ms, else 2 s", ""]
    assert found[1] == ["2", "close 1002, 4000 to 4499", "`x`", "Retry-After", "no"]
    assert found[2][1:4] == ["HTTP any, error `tls`, `dns`, text like `a\\|b`", "`x`", "3 s"]
    assert found[3][1:4] == ["any refusal", "`x`", "`after` in s"]
    assert found[-1][1] == "anything else"


def test_texts_cannot_break_out():
    """A cell is closed by us alone."""
    assert code("a|b`c") == "`` a\\|b`c ``"
    assert code("") == ""
    assert plain("a|b\n<i> *x* `y`") == "a\\|b \\<i\\> \\*x\\* \\`y\\`"
    assert plain(None) == ""
