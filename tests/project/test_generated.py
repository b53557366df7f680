# SPDX-License-Identifier: GPL-2.0-or-later
"""What scripts/generate makes of the table of words is in the tree as it would make it, and does what it
is for: the description of the DTD has every element, the editors' files colour every word."""

import importlib.machinery
import importlib.util
import json
import re

import pytest

import randomproject
import runner

_LOADER = importlib.machinery.SourceFileLoader("generate", str(runner.ROOT / "scripts/generate"))
generate = importlib.util.module_from_spec(importlib.util.spec_from_loader("generate", _LOADER))
_LOADER.exec_module(generate)

# every kind of thing that editors show
SAMPLE = """\
# comment
global { project lan
\t$port = 8080
\tbeforeHostsStart {
\t\techo "$port" { memory }
\t}
}
host a {
\tmemory 64M   # of it
\tplatform uml
\tcolor red
\tec2 x
\tnetwork eth0 { switch s; address 10.0.0.1/8 }
\tremove users
\troot_passwd "a $[port] \\" b"
}
#include common.kmln
"""


@pytest.mark.parametrize("name", generate.FILES)
def test_is_what_would_be_generated(name):
    path = runner.ROOT / name
    assert path.read_text(encoding="utf-8") == generate.FILES[name](runner.BUILD), "run scripts/generate"


def test_description_of_the_dtd(kmln, tmp_path):
    text = (runner.ROOT / "docs/project-dtd.md").read_text()
    elements = re.findall(r"<!ELEMENT (\S+) ", (runner.ROOT / "dtd/kmln-project.dtd").read_text())
    assert re.findall(r"^### (\S+)$", text, re.M) == elements
    # each link leads to an element
    assert {e.lower() for e in elements} >= set(re.findall(r"\]\(#([^)]+)\)", text))
    example = tmp_path / "example.xml"
    example.write_text(re.search(r"```xml\n(.*?)```", text, re.S)[1])
    assert "4 hosts, 1 switch; valid" in kmln("validate", "--portable", "-f", example, expect=0).out


def vim_groups(tmp_path, text):
    """The syntax group of each character, by line and column from 1."""
    vim = runner.need_program("vim", "vim")
    (tmp_path / "a.kmln").write_text(text)
    (tmp_path / "script").write_text("""
set nocompatible
syntax enable
let out = []
for l in range(1, line('$'))
  let names = []
  for c in range(1, max([1, len(getline(l))]))
    call add(names, synIDattr(synID(l, c, 1), 'name'))
  endfor
  call add(out, json_encode(names))
endfor
call writefile(out, 'groups')
qall!
""".replace("let out", f"syntax clear | unlet! b:current_syntax\nsource {runner.ROOT}/editors/kmln.vim\nlet out", 1))
    runner.run([vim, "-u", "NONE", "-n", "-N", "-es", "-S", "script", "a.kmln"], cwd=tmp_path, expect=0,
               env={"HOME": tmp_path, "TERM": "dumb"})
    return [json.loads(line) for line in (tmp_path / "groups").read_text().splitlines()]


def test_vim_colours_the_sample(tmp_path):
    groups = vim_groups(tmp_path, SAMPLE)
    lines = SAMPLE.splitlines()

    def group(word, nth=0):
        places = [(n, m.start()) for n, line in enumerate(lines) for m in re.finditer(re.escape(word), line)]
        line, column = places[nth]
        return groups[line][column]
    assert group("# comment") == group("# of it") == "kmlnComment"
    assert group("global") == group("host", 0) == "kmlnBlock"
    assert group("project") == group("memory", 1) == group("platform") == "kmlnWord"
    assert group("beforeHostsStart") == "kmlnHook"
    assert group("memory", 0) != "kmlnWord", "in a shell line"
    assert group("$port") == group("$[port]") == "kmlnVariable"
    assert group("64M") == "kmlnNumber" and group("10.0.0.1") in ("kmlnAddress", "kmlnNumber")
    assert group("color") == "kmlnIdle" and group("ec2") == "kmlnRefused"
    assert group("uml") == "kmlnChoice"
    assert group("remove") == "kmlnBlock"
    assert group('"a ') == "kmlnString" and group('\\"') == "kmlnEscape"
    assert group("#include") == "kmlnInclude"


def test_vim_knows_every_word(tmp_path):
    words = sorted({k["name"] for k in randomproject.vocabulary() if k["shape"] != "lines"})
    groups = vim_groups(tmp_path, "\n".join(words) + "\n")
    assert {w for w, g in zip(words, groups) if not g[0].startswith("kmln")} == set()


def test_textmate_grammar():
    grammar = json.loads((runner.ROOT / "editors/kmln.tmLanguage.json").read_text())
    rules = grammar["repository"]
    included = {i["include"] for i in grammar["patterns"]}
    assert {i.removeprefix("#") for i in included} <= set(rules)

    def patterns(rule):
        for key in ("match", "begin", "end"):
            if key in rule:
                yield rule[key]
        for inner in rule.get("patterns", []):
            yield from patterns(inner)
    for rule in rules.values():
        for pattern in patterns(rule):
            re.compile(pattern)
    lines = SAMPLE.splitlines()
    assert any(re.match(rules["include"]["match"], line) for line in lines)
    assert any(re.match(rules["assignment"]["match"], line) for line in lines)
    for k in randomproject.vocabulary():
        named = "shell" if k["shape"] == "lines" else "block"
        kinds = {"refused": ["refused", "block", "word"], "idle": ["idle", "block", "word", "shell"]}
        rules_of = kinds.get(k["standing"], [named, "block", "word"])
        line = f"\t{k['name']} {{" if k["shape"] == "lines" else f"\t{k['name']} x"
        found = [re.search(rules[r].get("match") or rules[r]["begin"], line) for r in rules_of]
        assert any(m and k["name"] in m.groups() for m in found), k["name"]
