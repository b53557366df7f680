# SPDX-License-Identifier: GPL-2.0-or-later
"""Projects in XML: what text says XML says and back, the DTD is that of the table of words, xmllint
agrees with kmln, and documents that mean harm do none."""

import json
import random
import re

import pytest

import randomproject
import runner

DTD = runner.ROOT / "dtd/kmln-project.dtd"
EXAMPLES = sorted((runner.ROOT / "examples").glob("*.*"))
HOSTILE = sorted((runner.ROOT / "tests/fuzz/corpus/project-xml").glob("*"))
DOCTYPE = '<!DOCTYPE project PUBLIC "-//KMLN//DTD Project 1.0//EN" "kmln-project.dtd">'
SEEDS = range(24)


def xmllint(path):
    """True for valid, None for what is no XML at all."""
    program = runner.need_program("xmllint", "libxml2-utils")
    result = runner.run([program, "--noout", "--nonet", "--dtdvalid", DTD, path], expect={0, 1, 3})
    return {0: True, 3: False, 1: None}[result.status]


def mistakes(kmln, path, **options):
    result = kmln("validate", "--portable", "-f", path, "--format", "json", expect={0, 3}, **options)
    return json.loads(result.out)["mistakes"]


def structure(text, keywords):
    """The text as nested lists, without what is layout: quotes, comments, and where in a block its single
    values stand."""
    ordered = {k["name"] for k in keywords if k["shape"] in ("rows", "lines")}
    shell = {k["name"] for k in keywords if k["shape"] == "lines"}
    stack, inside = [[]], [""]
    for line in text.splitlines():
        bare = line.strip()
        if not bare or (bare.startswith("#") and not bare.startswith("#include")):
            continue
        if inside[-1] not in shell and bare.endswith("{"):
            words = bare[:-1].split()
            stack.append([])
            inside.append(words[1] if words[0] == "replace" else words[0])
            stack[-2].append((bare[:-1].replace('"', "").strip(), stack[-1]))
        elif bare == "}" and line == "\t" * (len(stack) - 2) + "}":
            children = stack.pop()
            if inside.pop() not in ordered:
                children.sort(key=lambda c: isinstance(c, tuple))
                single = sorted(c for c in children if not isinstance(c, tuple))
                children[:] = single + [c for c in children if isinstance(c, tuple)]
        elif inside[-1] in shell:
            stack[-1].append(line)
        else:
            item = bare.replace(" { }", "").replace('"', "").removesuffix(" on")
            stack[-1].append(item if not bare.endswith("{ }") else (item, []))
    assert len(stack) == 1
    return stack[0]


def assert_round_trip(kmln, path, tmp_path, keywords):
    """text -> XML -> text -> XML, and the clusters that they come to."""
    x1, t2, x2 = tmp_path / "1.xml", tmp_path / "2.kmln", tmp_path / "2.xml"
    kmln("export", path, "-o", x1, expect=0)
    assert xmllint(x1), x1.read_text()
    kmln("export", x1, "--format", "kmln", "-o", t2, expect=0)
    kmln("export", t2, "-o", x2, expect=0)
    assert x1.read_text() == x2.read_text()
    before = kmln("export", path, "--format", "kmln", expect=0).out
    assert structure(before, keywords) == structure(t2.read_text(), keywords)
    resolved = [kmln("export", "--resolved", p, expect=0).out for p in (path, x1, t2)]
    assert resolved[0] == resolved[1] == resolved[2]
    # a document in its layout stays as it is, and the cluster written out is itself
    assert kmln("fmt", "--stdout", x1, expect=0).out == x1.read_text()
    (tmp_path / "r.xml").write_text(resolved[0])
    assert xmllint(tmp_path / "r.xml"), resolved[0]
    assert kmln("export", "--resolved", tmp_path / "r.xml", expect=0).out == resolved[0]


@pytest.fixture(scope="module")
def keywords():
    return randomproject.vocabulary()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_examples(path, kmln, tmp_path, keywords):
    assert_round_trip(kmln, path, tmp_path, keywords)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_projects(seed, kmln, tmp_path, keywords):
    path = tmp_path / "random.kmln"
    randomproject.valid_project(seed, keywords, kmln, path)
    assert_round_trip(kmln, path, tmp_path, keywords)


def test_random_projects_have_every_word(kmln, tmp_path, keywords):
    """Else the test above would not cover a new one."""
    missing = {k["name"] for k in keywords if k["standing"] != "refused"} | {"remove", "replace"}
    for seed in range(100):
        text = randomproject.valid_project(seed, keywords, kmln, tmp_path / "r.kmln")
        missing -= {word for line in text.splitlines() for word in line.split()[:1]}
        if not missing:
            return
    raise AssertionError(missing)


# --- the DTD

def test_dtd_is_that_of_the_table():
    assert DTD.read_text() == runner.run([randomproject.VOCABULARY, "dtd"], expect=0).out


def test_dtd_names_each_thing_once(keywords):
    text = DTD.read_text()
    elements = re.findall(r"^<!ELEMENT (\S+) ", text, re.M)
    assert len(elements) == len(set(elements))
    documented = re.findall(r"^<!-- (\S+)\n", text, re.M)
    assert documented == elements
    for name, body in re.findall(r"^<!ATTLIST (\S+)\n(.*?)>$", text, re.M | re.S):
        attributes = re.findall(r"^ +(\S+) (?:CDATA|\()", body, re.M)
        assert attributes and len(attributes) == len(set(attributes)), name
    # every word that is not refused has an element or is an attribute
    words = set(elements) | set(re.findall(r"^          (\S+) CDATA", text, re.M))
    assert {k["name"] for k in keywords if k["standing"] != "refused"} <= words


def tags(text):
    return [m for m in re.finditer(r"<([a-zA-Z_-]+)((?: [^<>]*?)?)(/?)>", text)]


def mutate(text, rnd):
    """One change to the tags of a document that leaves it well-formed; the root stays."""
    found = [m for m in tags(text) if m[1] != "project" and not m[3] is None][1:]
    m = rnd.choice(found)
    names = [t[1] for t in found] + ["nonsense", "users", "line", "host", "startup", "net"]
    what = rnd.randrange(6)
    if what == 0 and m[3]:  # another name
        return text[:m.start()] + f"<{rnd.choice(names)}{m[2]}/>" + text[m.end():]
    if what == 1:  # an attribute goes
        less = re.sub(r'\s[\w-]+="[^"]*"', "", m[2], count=1)
        return text[:m.start()] + f"<{m[1]}{less}{m[3]}>" + text[m.end():]
    if what == 2:  # one comes, perhaps of another element
        more = rnd.choice(["memory", "name", "value", "format", "switch", "kind", "nothing", "id"])
        if f" {more}=" not in m[2]:
            return text[:m.start()] + f'<{m[1]}{m[2]} {more}="1"{m[3]}>' + text[m.end():]
    if what == 3:  # text where there may be none
        return text[:m.end()] + "words" + text[m.end():]
    if what == 4:  # an element inside of another
        return text[:m.end()] + f'<{rnd.choice(names)} name="x"/>' + text[m.end():]
    return text[:m.end()] + "<!-- c --><?p i?>" + text[m.end():]


@pytest.mark.parametrize("seed", range(6))
def test_xmllint_agrees_on_changed_documents(seed, kmln, tmp_path, keywords):
    path, changed = tmp_path / "r.kmln", tmp_path / "changed.xml"
    randomproject.valid_project(seed, keywords, kmln, path)
    text = kmln("export", path, expect=0).out
    rnd = random.Random(seed)
    verdicts = set()
    for _ in range(25):
        changed.write_text(mutate(text, rnd))
        valid = xmllint(changed)
        codes = {m["code"] for m in mistakes(kmln, changed)}
        assert valid == (not any(code.startswith("xml-") for code in codes)), (codes, changed.read_text())
        # our own words say it, not libxml2's
        assert "xml-invalid" not in codes
        verdicts.add(valid)
    assert verdicts == {True, False}


@pytest.mark.parametrize("path", HOSTILE, ids=lambda p: p.name)
def test_xmllint_agrees_on_the_corpus(path, kmln):
    """What kmln takes is valid; what xmllint finds invalid, kmln refuses."""
    errors = [m for m in mistakes(kmln, path) if m["severity"] == "error"]
    valid = xmllint(path)
    if not errors and path.name not in ("empty",):
        assert valid
    if not valid:
        assert errors


# --- mistakes and their places

@pytest.mark.parametrize("document, code, line, column, words", [
    ('<project format="1">\n  <hst name="a"/>\n</project>', "xml-element", 2, 4, "<hst> cannot stand in <project>"),
    ('<project format="1">\n<host name="a"\n\t memry="1M"/>\n</project>', "xml-attribute", 3, 3,
     "<host> has no attribute `memry`"),
    ('<project format="1">\n<host name="a"\n\t memory="1Q"/>\n</project>', "wrong-value", 3, 11, "`memory` needs a size"),
    ('<project format="1"><host/></project>', "xml-attribute", 1, 22, "needs the attribute `name`"),
    ('<project format="1">\n\n<global project="p">x</global></project>', "xml-text", 3, 2, "no text"),
    ('<project format="2"/>', "xml-attribute", 1, 18, "format 1"),
    ("<project/>", "xml-attribute", 1, 2, "`format`"),
    ('<cluster format="1"/>', "xml-root", 1, 2, "<project>"),
    ('<project format="1"><ec2/></project>', "xml-element", 1, 22, "<ec2> cannot stand"),
    ('<project format="1"><global project="p"/><host name="a" image="i"><network name="e" switch="nix"/></host>'
     '</project>', None, 1, 93, "nix"),
    ('<project format="1"><global project="p"/><host name="a" image="i" after="a  nobody"/></project>', None, 1, 77,
     "nobody"),
    ('<project format="1"><global project="p"/><host name="a" image="i"><packages><package>a b</package></packages>'
     '</host></project>', "wrong-value", 1, 86, "package"),
    ('<project format="1"><global project="p"/><host name="a" image="i"><users><user name="u" uid="1"/></users></host>'
     '</project>', "missing-value", 1, 89, "`hash`"),
    ('<project format="1">\n<host name="a"></hots></project>', "xml-syntax", 2, None, "well-formed"),
])
def test_mistakes_have_places(document, code, line, column, words, kmln, tmp_path):
    path = tmp_path / "x.xml"
    path.write_text(document)
    found = [m for m in mistakes(kmln, path) if words in m["message"]]
    assert len(found) == 1, mistakes(kmln, path)
    assert (code is None or found[0]["code"] == code) and found[0]["line"] == line, found
    assert column is None or found[0]["column"] == column, found


def test_all_mistakes_in_one_run(kmln, tmp_path):
    path = tmp_path / "x.xml"
    path.write_text('<project format="1"><hots name="b"/><host name="a" memroy="1"/><global project="p" x="1"/>'
                    '<host name="c" image="i" cpus="many" superclass="none"/></project>')
    found = mistakes(kmln, path)
    assert {m.get("suggestion") for m in found} >= {"host", "memory"}
    assert len([m for m in found if m["severity"] == "error"]) >= 5


# --- documents that mean harm

BAD = {"entity", "subset", "doctype", "latin1", "utf7", "utf16", "ebcdic", "not", "nul", "cut", "two", "empty",
       "prolog", "nesting", "unclosed", "xinclude", "names", "long", "control", "include", "unknown", "braces"}


@pytest.mark.parametrize("path", [p for p in HOSTILE if p.name.split("-")[0] in BAD and p.name != "doctype"],
                         ids=lambda p: p.name)
def test_hostile_documents(path, kmln, tmp_path):
    """Refused, at once, and nothing that they name is opened."""
    trace = tmp_path / "trace"
    strace = runner.need_program("strace", "strace")
    result = runner.run([strace, "-f", "-e", "trace=openat,openat2,open,connect,socket", "-o", trace,
                         runner.BUILD / "kmln", "validate", "--portable", "-f", path], expect=3, timeout=20,
                        # leaks cannot be looked for under strace
                        env={"ASAN_OPTIONS": "detect_leaks=0"})
    assert "root:x:" not in result.out + result.err
    opened = trace.read_text()
    assert path.name in opened
    assert "connect" not in opened and "AF_INET" not in opened
    if path.name != "include":
        assert "/etc/passwd" not in opened


def test_secret_of_an_external_entity(kmln, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("topsecret")
    for declaration in (f'<!ENTITY e SYSTEM "file://{secret}">', f'<!ENTITY % e SYSTEM "{secret}"> %e;'):
        path = tmp_path / "x.xml"
        path.write_text(f'{DOCTYPE[:-1]} [{declaration}]>\n<project format="1"><global project="&e;"/></project>')
        result = kmln("export", path, expect=3)
        assert "topsecret" not in result.out + result.err and "declares no" in result.err


BIG = [
    ("elements", '<project format="1">' + "<a/>\n" * 3_000_000 + "</project>"),
    ("hosts", '<project format="1">' + '<host name="a"/>\n' * 900_000 + "</project>"),
    ("attributes", '<project format="1"><host ' + "".join(f'a{i}=""\n' for i in range(1_000_000)) + "/></project>"),
    ("long-line", f'<project format="1"><host name="{"a" * 100_000}"/></project>'),
    ("long-word", '<project format="1"><host name="' + "a\n" * 100_000 + '"/></project>'),
    ("long-text", '<project format="1"><host name="a"><startup><line>' + "a\n" * 1_000_000 + "</line></startup></host></project>"),
    ("comments", "<!-- -->\n" * 1_500_000),
    ("instructions", "<?a?>\n" * 2_000_000),
    ("big", "<project>" + " \n" * 32_000_000),
]


@pytest.mark.parametrize("number", range(len(BIG)), ids=[name for name, _ in BIG])
def test_big_documents_need_little(number, tmp_path):
    """An error, and not much memory."""
    name, content = BIG[number]
    path = tmp_path / f"{name}.xml"
    path.write_text(content)
    # the address sanitizer reserves more than any limit
    sanitized = b"__asan_init" in (runner.BUILD / "kmln").read_bytes()
    limit = [] if sanitized else [runner.need_program("prlimit", "util-linux"), f"--as={600 << 20}"]
    result = runner.run([*limit, runner.BUILD / "kmln", "validate", "--portable", "-f", path], expect={1, 3}, timeout=60)
    assert "error:" in result.err or "kmln:" in result.err


# --- where XML is taken

def test_xml_is_known_by_name_or_content(kmln, tmp_path):
    text = f'{DOCTYPE}\n<project format="1"><global project="p"/></project>\n'
    for name, content in (("a.xml", text), ("a.kmln", "\n  " + text), ("a", "\ufeff" + text)):
        (tmp_path / name).write_text(content)
        assert "valid" in kmln("validate", "--portable", "-f", tmp_path / name, expect=0).out
    assert "valid" in kmln("validate", "--portable", "-f", "-", stdin=text, expect=0).out
    (tmp_path / "text.xml").write_text("global { project p }\n")
    assert "no well-formed XML" in kmln("validate", "--portable", "-f", tmp_path / "text.xml", expect=3).err


def test_xml_is_not_included(kmln, tmp_path):
    (tmp_path / "b.xml").write_text('<project format="1"/>')
    (tmp_path / "a.kmln").write_text("global { project p }\n#include b.xml\n")
    assert "includes are text" in kmln("validate", "--portable", "-f", tmp_path / "a.kmln", expect=3).err


def test_includes_of_documents(kmln, tmp_path):
    (tmp_path / "b.kmln").write_text("memory 99M\n")
    (tmp_path / "a.xml").write_text('<project format="1"><global project="p"/><host name="a" image="i">'
                                    '<include path="b.kmln"/></host></project>')
    assert 'memory="99M"' in kmln("export", "--resolved", tmp_path / "a.xml", expect=0).out
    assert "#include b.kmln" in kmln("export", "--format", "kmln", tmp_path / "a.xml", expect=0).out
    (tmp_path / "a.xml").write_text('<project format="1"><include path="../a.xml"/></project>')
    assert "outside the project's folder" in kmln("validate", "-f", tmp_path / "a.xml", expect=3).err


def test_export_is_for_oneself(kmln, tmp_path):
    """There may be password hashes in it."""
    kmln("export", runner.ROOT / "examples/router.kmln", "-o", tmp_path / "a.xml", expect=0)
    assert (tmp_path / "a.xml").stat().st_mode & 0o777 == 0o600


def test_export_refuses_what_is_wrong(kmln, tmp_path):
    (tmp_path / "a.kmln").write_text("global { project p }\nhost a { memroy 1M }\n")
    result = kmln("export", "-f", tmp_path / "a.kmln", "-o", tmp_path / "out", expect=3)
    assert not result.out and "memroy" in result.err and not (tmp_path / "out").exists()


def test_comments_come_along(kmln, tmp_path):
    (tmp_path / "a.kmln").write_text("# first -- of all\nglobal { # whole\n\tproject p # its name\n}\n\n# last\n")
    text = kmln("export", tmp_path / "a.kmln", expect=0).out
    for words in ("first - - of all", "whole", "its name", "last"):
        assert f"<!-- {words} -->" in text
