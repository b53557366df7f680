# SPDX-License-Identifier: GPL-2.0-or-later
"""Project files as files: includes that must not lead anywhere, limits, finding them, images, fmt."""

import json
import os
import socket

import pytest

import projects
import runner

HEAD = "global { project p }\n"


def errors(kmln, *args, expect=3, **options):
    """{code: message} of the mistakes."""
    shown = json.loads(kmln("validate", "--portable", "--format", "json", *args, expect=expect, **options).out)
    return {mistake["code"]: mistake["message"] for mistake in shown["mistakes"]}


def test_includes(kmln, tmp_path):
    """Nested, relative to the file they stand in, inside blocks; mistakes show the file they are in."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "x.kmln").write_text(HEAD + '#include sub/a.kmln\nhost a { superclass c\n#include "sub/b"\n}\n')
    (tmp_path / "sub/a.kmln").write_text("#include deeper.kmln # words\n")
    (tmp_path / "sub/deeper.kmln").write_text("superclass c { memory 3M }")
    (tmp_path / "sub/b").write_text("swap 1M\n$x = 1; startup { echo $x }")
    assert kmln("validate", "--portable", tmp_path / "x.kmln", expect=0).out == \
        "project p: 1 host, 0 switches; valid\n"
    host = projects.hosts(tmp_path / "x.kmln")["a"]
    assert (host["memory"], host["swap"], host["startup"]) == ("3M", "1M", ["echo 1"])
    (tmp_path / "sub/b").write_text("\nswop 1M")
    result = kmln("validate", "--portable", "x.kmln", cwd=tmp_path, expect=3)
    assert "sub/b:2:1: error: a host has no word `swop`" in result.err
    # a brace belongs to the file that it is in
    (tmp_path / "sub/b").write_text("swap 1M\n}\n")
    assert "sub/b:2:1: error: this } closes no block" in \
        kmln("validate", "--portable", "x.kmln", cwd=tmp_path, expect=3).err


@pytest.mark.parametrize("path, code", [
    ("../out.kmln", "include-outside"), ("/etc/hostname", "include-outside"),
    ("sub/../../out.kmln", "include-outside"), ("link", "include-outside"), ("links/out.kmln", "include-outside"),
    ("/dev/zero", "include-outside"), ("x.kmln", "include-circle"), ("./sub/../x.kmln", "include-circle"),
    ("circle", "include-circle"), ("missing", "no-include"), ("sub", "no-include"), ("fifo", "no-include"),
    ("socket", "no-include"), ("/proc/self/fd/0", "include-outside"), ('""', "no-include"),
    ("$x", "bad-include"), ("", "bad-include")])
def test_refused_includes(kmln, tmp_path, path, code):
    folder = tmp_path / "project"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "out.kmln").write_text("host out { }\n")
    (folder / "link").symlink_to("../out.kmln")
    (folder / "links").symlink_to("..")
    (folder / "circle").write_text("#include x.kmln\n")
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(folder / "socket"))
        (folder / "x.kmln").write_text(HEAD + f"#include {path}\nhost a {{ memori 1M }}\n")
        found = errors(kmln, "x.kmln", cwd=folder)
    # and what follows is looked at
    assert sorted(found) == sorted([code, "unknown-word"])


def test_allow_include(kmln, tmp_path):
    (tmp_path / "project").mkdir()
    (tmp_path / "out.kmln").write_text("host out { }\n")
    path = tmp_path / "project/x.kmln"
    path.write_text(HEAD + f"#include ../out.kmln\n#include {tmp_path}/project/y\n")
    (tmp_path / "project/y").write_text("host y { }")
    assert "2 hosts" in kmln("validate", "--portable", "--allow-include", path, expect=0).out
    # devices stay refused
    path.write_text(HEAD + "#include /dev/zero\n")
    assert list(errors(kmln, "--allow-include", path)) == ["no-include"]


def test_a_swarm_of_includes(kmln, tmp_path):
    """Files that include each other in many ways: two to the thirtieth of them, were there no limit."""
    for i in range(30):
        (tmp_path / f"f{i}").write_text(f"#include f{i + 1}\n" * 2)
    (tmp_path / "x.kmln").write_text(HEAD + "#include f0\n")
    result = kmln("validate", "--portable", tmp_path / "x.kmln", expect=3, timeout=10)
    assert "too many includes" in result.err


SANITIZED = (runner.BUILD / "kmln").exists() and b"__asan_init" in (runner.BUILD / "kmln").read_bytes()


def measured(path, expect=3):
    """The result of validate and its memory in MB; a limit of 1 GB stands around it. With sanitizers,
    whose memory is not kmln's, none, and 0."""
    if SANITIZED:
        return runner.run([runner.BUILD / "kmln", "validate", "--portable", path], expect=expect, timeout=120), 0
    result = runner.run(["sh", "-c", 'ulimit -v 1000000; exec /usr/bin/time -f "peak %M" "$@"', "-",
                         runner.BUILD / "kmln", "validate", "--portable", path], expect=expect, timeout=120)
    return result, int(result.err.rsplit("peak ", 1)[1]) / 1024


BOMBS = {
    "line": (HEAD + 'host a { owner "' + "x" * 100_000 + '" }\n', "a line of 100019 bytes", 16),
    "word": (HEAD + "host " + "x" * 100_000, "a line of", 16),
    "nested": (HEAD + "a {\n" * 10_000 + "}\n" * 10_000, "nested deeper than 16", 16),
    "nested-line": (HEAD + "a {" * 10_000, "nested deeper than 16", 16),
    "closing": (HEAD + "}" * 1_000_000, "this } closes no block", 40),
    "quotes": (HEAD + '"' * 60_000, "quote", 100),
    "big": ("host a { memory 3M }\n" * 3_200_000, "at most 16 MiB", 64),
    "items": (HEAD + "host a {" + "a\n" * 3_000_000, "too big: at most", 700),
    "zeros": ("\0" * 1_000_000, "NUL bytes", 16),
    "binary": (bytes(range(1, 256)) * 4000, "\\x01", 40),
    "variables": ("global { project p; " + "; ".join(f"$v{i} = {'$[v%d]' % (i + 1) * 20}" for i in range(12))
                  + "; $v12 = x }\nhost a { owner $v0 }\n", "is too long", 64),
    "empty-variables": ("global { project p; " + "; ".join(f"$v{i} = {'$[v%d]' % (i + 1) * 300}" for i in range(9))
                        + "; $v9 = \"\" }\nhost a { owner $v0 }\n", "looked up too often", 300),
    "hosts": (HEAD + "host a { count 20000 }\nhost b { count 20000 }\n", "more than 20000 hosts", 200),
    "lines": (HEAD + "superclass s { startup {\n" + "echo\n" * 100_000 + "} }\nhost a { superclass s; count 20000 }\n",
              "more than 5000000 lines", 900),
    "waits": (HEAD + "host a { count 9000 }\nhost b { count 9000; after a }\n", "more than 5000000 lines", 400),
    "chain": (HEAD + "".join(f"superclass c{i} {{ superclass c{i + 1} }}\n" for i in range(3000))
              + "superclass c3000 { }\nhost a { superclass c0 }\n", "more than 32 superclasses", 64),
    "mistakes": (HEAD + "host a {\n" + "wrong word\n" * 100_000 + "}\n", "99000 more mistakes", 150),
    "rows": (HEAD + "host a { users {\n" + "".join(f"u{i}\n" for i in range(100_000)) + "} }\n",
             "more than 5000000 lines", 200),
    # each of 5000 hosts has 60 kB of its own, made of a variable
    "values": ("global { project p; $x = " + "y" * 60_000 + " }\nhost a { count 6000; startup { echo $x $hostname\n} }\n",
               "more than 5000000 lines", 500),
    "long-values": ("global { project p; $x = $[z]" + "y" * 60_000 + "; $z = z }\nhost a {\n"
                    + ("owner " + "$[x]" * 9000 + "\n") * 30 + "}\n", "is too long", 64),
    "variables-in-a-block": ("global { project p\n" + "".join(f"$v{i} = x\n" for i in range(100_000))
                             + "}\nhost a { count 300; owner $v99999 }\n", None, 200),
}


@pytest.mark.parametrize("name", BOMBS)
def test_limits(name, tmp_path):
    """An error that says what is too much, in bounded memory, and no crash."""
    content, message, megabytes = BOMBS[name]
    if SANITIZED and megabytes >= 400:
        pytest.skip("with the sanitizers' share it needs gigabytes")
    path = tmp_path / "x.kmln"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    result, peak = measured(path, expect=3 if message else 0)
    assert message is None or message in result.err, result
    assert peak < megabytes, result


def test_names_stay_names(kmln, tmp_path):
    """None leads out of a folder or means anything to a shell."""
    for name in ("../x", "a;b", "$(x)", "`x`", "x" * 300, "a/b", ".", "..", "-x", "x y", "a\tb", "a'b", "ä", "a\\nb", "",
                 "a&b", "a|b", "a>b", "*", "~", "a:b", "a,b"):
        quoted = '"' + name.replace("\\", "\\\\").replace("$", "\\$") + '"'
        lines = ["global { project p }", f"host {quoted} {{ }}", f"switch {quoted} {{ }}", f"superclass {quoted} {{ }}",
                 f"host a {{ network {quoted} {{ slirp }} }}", f"host b {{ users {{ {quoted} }} }}",
                 f"host c {{ groups {{ {quoted} {{ }} }} }}", f"host $[x] {{ $x = {quoted} }}",
                 f"host {{ {quoted} {{ }} }}"]
        (tmp_path / "x.kmln").write_text("\n".join(lines) + "\n")
        shown = json.loads(kmln("validate", "--portable", "--format", "json", tmp_path / "x.kmln", expect=3).out)
        assert {mistake["line"] for mistake in shown["mistakes"]} >= set(range(2, 10)), name
        lines[0] = f"global {{ project {quoted} }}"
        (tmp_path / "x.kmln").write_text(lines[0])
        kmln("validate", "--portable", tmp_path / "x.kmln", expect=3)


def test_standard_input(kmln, tmp_path):
    (tmp_path / "y").write_text("host y { memori 1M }\n")
    result = kmln("validate", "--portable", "-f", "-", stdin=HEAD + "host a { memry 1M }\n#include y\n",
                  cwd=tmp_path, expect=3)
    assert "<stdin>:2:10: error:" in result.err and "y:1:10: error:" in result.err
    result = kmln("fmt", "-f", "-", stdin="host a{memory 1M}", expect=0)
    assert result.out == "host a {\n\tmemory 1M\n}\n"


def test_which_file(kmln, tmp_path):
    """The only one here, else above; two are one too many, and an .mln counts where there is no .kmln."""
    below = tmp_path / "a/b"
    below.mkdir(parents=True)
    (tmp_path / "up.kmln").write_text("global { project up }\n")
    assert "project up:" in kmln("validate", cwd=below, expect=0).out
    (tmp_path / "a/old.mln").write_text("global { project old }\n")
    assert "project old:" in kmln("validate", cwd=below, expect=0).out
    (tmp_path / "a/new.kmln").write_text("global { project new }\n")
    assert "project new:" in kmln("validate", cwd=below, expect=0).out
    (tmp_path / "a/two.kmln").write_text("")
    result = kmln("validate", cwd=below, expect=2)
    assert "new.kmln" in result.err and "two.kmln" in result.err
    assert "project up:" in kmln("validate", "-f", tmp_path / "up.kmln", cwd=below, expect=0).out
    kmln("validate", "-f", "x", "y", expect=2)
    for command in ("validate", "fmt"):
        kmln(command, tmp_path / "missing.kmln", expect=1)
        kmln(command, tmp_path, expect=1)


def test_images(kmln, tmp_path):
    """All that are missing, each once; names in kmln's folder, templates with versions, paths."""
    images = tmp_path / "kmln-home/data/images"
    images.mkdir(parents=True)
    for name in ("default.img", "debian.qcow2", "old-V1.2.ext3", "old-V1.10.ext3"):
        (images / name).touch()
    (tmp_path / "own.img").touch()
    path = tmp_path / "x.kmln"
    path.write_text(HEAD + """host a { }
host b { image debian }
host c { template old }
host d { image ./own.img }
host e { template debian }
""")
    kmln("validate", path, expect=0)
    path.write_text(HEAD + """host a { image none }
host b { image ./none.img; count 3 }
host c { template none }
host d { image old }
host e { image none }
""")
    def missing(**options):
        return [line.split("error: there is no ")[1] for line in kmln("validate", path, expect=3, **options).err.splitlines()
                if "error: " in line]
    assert missing() == ["image `none`", "image `./none.img`", "template `none`", "image `old`"]
    path.write_text(HEAD + "host a { }\nhost b { }\n")
    assert missing(env={"KMLN_HOME": tmp_path / "other"}) == ["image `default`"]


def test_platforms_are_a_warning(kmln, tmp_path):
    path = tmp_path / "x.kmln"
    (tmp_path / "i").touch()
    path.write_text(HEAD + "superclass c { image ./i; platform xen }\nhost a { superclass c }\nhost b { superclass c }\n")
    result = kmln("validate", path, expect=0)
    if "usable" not in kmln("doctor").out.split("xen")[1].splitlines()[0]:
        assert result.err.count("warning: this host cannot run xen") == 1


def test_fmt(kmln, tmp_path):
    """In place, with the mode kept; once is enough; what is wrong stays as it is."""
    path = tmp_path / "x.kmln"
    ugly = ('#  head\n\n\n\nglobal{project   p;$a=b # one\n\n# two\n}  # three\nhost a { # four\n\n memory  "64M";'
            'swap 1M\n  startup { f() { echo "a  b"; }   # five\n      indented\n   # six\n\n } # seven\n}\n\n#include y\nhost b {\n}')
    path.write_text(ugly)
    path.chmod(0o640)
    (tmp_path / "link").symlink_to("x.kmln")
    assert kmln("fmt", "--check", path, expect=4).out == f"{path}\n"
    assert path.read_text() == ugly
    assert kmln("fmt", "--stdout", path, expect=0).out != ugly
    assert "+\tproject p" in kmln("fmt", "--diff", path, expect=0).out and path.read_text() == ugly
    assert kmln("fmt", tmp_path / "link", expect=0).out == f"{tmp_path / 'link'}\n"
    assert (tmp_path / "link").is_symlink() and path.stat().st_mode & 0o777 == 0o640
    assert path.read_text() == """#  head

global {
	project p
	$a = b # one

	# two
} # three
host a { # four
	memory "64M"
	swap 1M
	startup {
		f() { echo "a  b"; }   # five
		   indented
		# six
	} # seven
}

#include y
host b { }
"""
    assert kmln("fmt", path, expect=0).out == "" and kmln("fmt", "--check", path, expect=0).out == ""
    shown = json.loads(kmln("fmt", "--format", "json", path, expect=0).out)
    assert shown == [{"file": str(path), "differs": False}]
    (tmp_path / "bad.kmln").write_text("host a {")
    path.write_text(ugly)
    result = kmln("fmt", tmp_path / "bad.kmln", path, expect=3)
    assert "bad.kmln:1:1: error: this block is not closed" in result.err
    assert (tmp_path / "bad.kmln").read_text() == "host a {" and path.read_text() != ugly
    kmln("fmt", "--check", "--diff", path, expect=2)
