# SPDX-License-Identifier: GPL-2.0-or-later
"""What `kmln validate` says of files with mistakes, word for word: errors/NAME.kmln and, beside it,
NAME.txt. With KMLN_GOLDEN=write the texts are written anew; what changed is then to be read."""

import json
import os
import re
from pathlib import Path

import pytest

ERRORS = Path(__file__).resolve().parent / "errors"
FILES = sorted(path.stem for path in ERRORS.glob("*.kmln"))

HEAD = re.compile(r"^(?P<file>[^:]+\.kmln)(?::(?P<line>\d+):(?P<column>\d+))?: "
                  r"(?P<kind>error|warning|note): (?P<text>.*)$")


def parse(text):
    """The errors and warnings as the JSON has them, their notes in them."""
    found = []
    for line in text.splitlines():
        if not (match := HEAD.match(line)):
            assert re.match(r" *\d* \| |kmln: ", line), line
            continue
        item = {"file": match["file"], "message": match["text"]}
        if match["line"]:
            item |= {"line": int(match["line"]), "column": int(match["column"])}
        if match["kind"] == "note":
            found[-1].setdefault("notes", []).append(item)
        else:
            found.append(item | {"severity": match["kind"]})
    return found


@pytest.mark.parametrize("name", FILES)
def test_text(kmln, name):
    result = kmln("validate", "--portable", f"{name}.kmln", cwd=ERRORS, expect=3)
    assert not result.out
    golden = ERRORS / f"{name}.txt"
    if os.environ.get("KMLN_GOLDEN") == "write":
        golden.write_text(result.err)
    assert result.err == golden.read_text()
    # what is told twice of one place is noise
    places = [(m.get("line"), m.get("column"), m["message"]) for m in parse(result.err)]
    assert len(places) == len(set(places))


@pytest.mark.parametrize("name", FILES)
def test_json_has_the_same(kmln, name):
    result = kmln("validate", "--portable", "--format", "json", "-f", f"{name}.kmln", cwd=ERRORS, expect=3)
    assert not result.err
    shown = json.loads(result.out)
    golden = parse((ERRORS / f"{name}.txt").read_text())
    lines = (ERRORS / f"{name}.kmln").read_bytes().split(b"\n")
    assert not shown["valid"] and shown["file"] == f"{name}.kmln"
    assert shown["errors"] == sum(m["severity"] == "error" for m in golden)
    assert shown["warnings"] == sum(m["severity"] == "warning" for m in golden)
    assert len(shown["mistakes"]) == len(golden)
    for mistake, expected in zip(shown["mistakes"], golden):
        notes = [note["message"] for note in expected.get("notes", [])]
        if "suggestion" in mistake:
            assert notes.pop(0) == f"did you mean `{mistake['suggestion']}`?"
        assert [note["message"] for note in mistake.get("notes", [])] == notes
        assert {key: mistake.get(key) for key in ("severity", "message", "line", "column")} \
            == {key: expected.get(key) for key in ("severity", "message", "line", "column")}
        assert re.fullmatch(r"[a-z-]+", mistake["code"])
        if "line" in mistake:
            line = lines[mistake["line"] - 1]
            assert mistake["column"] - 1 + mistake["length"] <= len(line)
            if line.isascii() and line.decode().isprintable():
                assert mistake["source"] == line.decode()


def test_every_code_is_documented(kmln):
    """docs/mln.md has a line for each code, and each code of the page is one that exists."""
    root = ERRORS.parent.parent.parent
    page = (root / "docs/mln.md").read_text()
    sources = "".join(path.read_text() for path in (root / "src/project").glob("*.c"))
    in_code = set(re.findall(r'kmln_(?:report_(?:error|warning)|xml_invalid)\(\s*[^,"]+,\s*"([a-z-]+)"', sources))
    in_page = set(re.findall(r"^\| `([a-z-]+)` \|", page.split("## Mistakes")[1], re.M))
    assert in_code and in_code == in_page


def test_caret_below_the_place(kmln, tmp_path):
    """Also behind tabs and letters of several bytes, and in a line that is too long to be shown."""
    path = tmp_path / "x.kmln"
    path.write_text('global { project x }\n\thost ä { memory 64 }\nhost b { owner "' + "ö" * 300 + '"; memry 1M }\n')
    lines = kmln("validate", "--portable", path, expect=3).err.splitlines()

    def marked(head):
        start = next(i for i, line in enumerate(lines) if head in line)
        source, caret = lines[start + 1], lines[start + 2]
        first, last = caret.index("^"), len(caret)
        return source[first:last]
    assert marked("needs a host name") == "ä"
    assert marked("`memory` needs a size") == "64"
    assert marked("no word `memry`") == "memry"
    assert all(len(line) < 250 for line in lines)


def test_colour_on_a_terminal_only(kmln, tmp_path):
    (tmp_path / "x.kmln").write_text("host a { memory 64 }\n")
    import runner
    command = f"{runner.BUILD / 'kmln'} validate --portable {tmp_path}/x.kmln"
    for env, colour in (({"NO_COLOR": None}, True), ({"NO_COLOR": "1"}, False)):
        shown = runner.run(["script", "-qec", command, "/dev/null"], env=env).out
        assert ("\x1b[1;31merror: \x1b[0m" in shown) == colour, shown
    assert "\x1b" not in kmln("validate", "--portable", tmp_path / "x.kmln", expect=3).err
