# SPDX-License-Identifier: GPL-2.0-or-later
"""Help, manual and completion say the same. The option table of a command is its parser, its help and
its completion; what can go astray is the man page, and what the help looks like."""

import json
import re

import pytest

import guests
import runner

MAN = runner.ROOT / "man"
GLOBALS = {"quiet", "verbose", "help"}


def run_kmln(*args, **options):
    return runner.run([runner.BUILD / "kmln", *args], timeout=20, **options)


def commands():
    """As `kmln --help` lists them; nothing where kmln is not built, which test_help then says."""
    if not (runner.BUILD / "kmln").exists():
        return []
    listing = run_kmln("--help", expect=0).out.split("Commands:\n")[1].split("\nOptions:")[0]
    return re.findall(r"^  ([a-z-]+)  *\S", listing, re.M)


COMMANDS = commands()
PASSES_ON = {"exec", "ssh"}
each_command = pytest.mark.parametrize("command", COMMANDS)


def help_options(text):
    """{long: (letter or None, argument or None)}"""
    found = re.findall(r"^  (?:-(\w), |    )--([a-z-]+)(?: ([A-Z][\w|,.=-]*))?", text, re.M)
    return {long: (letter or None, argument or None) for letter, long, argument in found}


def man_options(text):
    """The same from the OPTIONS section of a page: *-o*, *--output* _FILE_"""
    section = text.split("\n# OPTIONS\n")[1].split("\n# ")[0]
    found = re.findall(r"^(?:\*-(\w)\*, )?\*--([a-z-]+)\*(?: _([^_]+)_)?$", section, re.M)
    return {long: (letter or None, argument or None) for letter, long, argument in found}


def assert_good_help(result):
    assert result.status == 0 and not result.err
    assert result.out.endswith("\n")
    for line in result.out.splitlines():
        assert len(line) <= 80, line
        assert "\t" not in line and line == line.rstrip()


def test_help():
    assert COMMANDS
    assert_good_help(run_kmln("--help"))
    assert_good_help(run_kmln("help"))


@each_command
def test_help_of_command(command):
    result = run_kmln(command, "--help")
    assert_good_help(result)
    assert result.out.startswith(f"Usage: kmln {command} ")
    assert help_options(result.out).keys() >= GLOBALS
    assert run_kmln("help", command).out == result.out
    # help is given whatever else stands there, but for words that belong to another program
    words = ["-h", "some", "words"] if command in PASSES_ON else ["some", "words", "-h"]
    assert run_kmln(command, *words).out == result.out


@each_command
def test_wrong_command_lines(command):
    result = run_kmln(command, "--no-such-option", expect=2)
    assert not result.out and "no option --no-such-option" in result.err
    assert len(result.err.splitlines()) == 1
    for long, (_, argument) in help_options(run_kmln(command, "--help").out).items():
        if argument:
            result = run_kmln(command, f"--{long}", expect=2)
            assert f"--{long} needs a value" in result.err
        elif long not in GLOBALS:
            result = run_kmln(command, f"--{long}=x", expect=2)
            assert f"--{long} takes no value" in result.err
        if long not in GLOBALS and len(long) > 4:
            result = run_kmln(command, f"--{long}x", expect=2)
            assert f"did you mean --{long}?" in result.err


def test_unknown_command():
    assert "did you mean" in run_kmln(COMMANDS[0] + "x", expect=2).err
    assert "`kmln --help` lists them" in run_kmln("zzzzzz", expect=2).err
    assert "which command" in run_kmln(expect=2).err
    run_kmln("help", "zzzzzz", expect=2)


def test_output_that_cannot_be_written():
    result = runner.run(["sh", "-c", '"$0" --help >/dev/full', runner.BUILD / "kmln"], expect=1)
    assert "standard output: No space left on device" in result.err
    # closed descriptors are no reason to write into whatever is opened next
    runner.run(["sh", "-c", '"$0" --version <&- >&- 2>&-', runner.BUILD / "kmln"], expect={0, 1})


@each_command
def test_man_page_has_the_options_of_help(command):
    page = (MAN / f"kmln-{command}.1.scd").read_text()
    in_help = help_options(run_kmln(command, "--help").out)
    in_page = man_options(page)
    assert in_page == in_help
    assert page.startswith(f"kmln-{command}(1)\n")
    for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "SEE ALSO"):
        assert f"\n# {section}\n" in page, section


@each_command
def test_overview_names_the_command(command):
    page = (MAN / "kmln.1.scd").read_text()
    assert f"\n*kmln-{command}*(1)\n\t" in page
    assert f"*kmln-{command}*(1)" in page.split("# SEE ALSO")[1]


def test_overview_names_nothing_else():
    page = (MAN / "kmln.1.scd").read_text()
    assert set(re.findall(r"\*kmln-([a-z-]+)\*\(1\)", page)) == set(COMMANDS)
    assert man_options(page).keys() == GLOBALS | {"version"}


def test_overview_has_the_exit_statuses():
    page = (MAN / "kmln.1.scd").read_text()
    section = page.split("# EXIT STATUS")[1].split("\n# ")[0]
    assert re.findall(r"^\*(\d)\*$", section, re.M) == list("012345")


PAGES = sorted(page.name.removesuffix(".scd") for page in MAN.glob("*.scd"))


@pytest.mark.parametrize("page", PAGES)
def test_man_page_is_built_and_without_complaint(page):
    built = runner.BUILD / "man" / page
    assert built.exists(), f"{page} is not in man/meson.build"
    man = runner.need_program("man", "man-db")
    result = runner.run([man, "--warnings=all", "-l", built], expect=0,
                        env={"MANWIDTH": "80", "MANROFFOPT": "", "LC_ALL": "C.UTF-8"})
    assert not result.err, result
    # no width is promised for tables and code, but text must have been filled
    assert "NAME" in result.out and len(result.out) > 500
    # scdoc's own marks must not be left in the text
    assert not re.search(r"(^|\s)[*_]{1,2}\S+[*_]{1,2}(\s|$)", result.out), result


# --- completion, in a real bash

COMPLETE = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_kmln
printf '%s\\n' "${COMPREPLY[@]}"
"""


def complete(*words, cwd=None):
    """What the completion offers for the last of the words."""
    result = runner.run(["bash", "--norc", "-uc", COMPLETE, "bash",
                         runner.BUILD / "completions/kmln.bash", *words], expect=0, cwd=cwd)
    assert not result.err, result
    return {word for word in result.out.splitlines() if word}


def test_completion_of_commands():
    assert complete("kmln", "") == {*COMMANDS, "--help", "--version"}
    for command in COMMANDS:
        assert command in complete("kmln", command[:3])


@each_command
def test_completion_of_options(command):
    options = help_options(run_kmln(command, "--help").out)
    assert complete("kmln", command, "--") == {f"--{name}" for name in options}
    assert complete("kmln", command, "--he") >= {"--help"}


@each_command
def test_completion_of_values(command, tmp_path):
    (tmp_path / "with blank.img").touch()
    (tmp_path / "folder").mkdir()
    text = run_kmln(command, "--help").out
    for long, (letter, argument) in help_options(text).items():
        if not argument:
            continue
        for word in [f"--{long}"] + ([f"-{letter}"] if letter else []):
            offered = complete("kmln", command, word, "", cwd=tmp_path)
            if argument == "FORMAT":
                assert offered == {"text", "json"}
                # bash makes three words of --format=te
                assert complete("kmln", command, word, "=", "te") == {"text"}
                assert complete("kmln", command, word, "=") == {"text", "json"}
            elif argument == "FILE":
                assert offered == {"with blank.img", "folder"}
            elif argument == "FOLDER":
                assert offered == {"folder"}
    usage = text.splitlines()[0]
    if re.search(r"\bIMAGE\b", usage):
        assert complete("kmln", command, "with", cwd=tmp_path) == {"with blank.img"}


# --- JSON: the keys that programs rely on stand in the man page

def json_keys(value):
    if isinstance(value, dict):
        return set(value).union(*map(json_keys, value.values()))
    if isinstance(value, list):
        return set().union(*map(json_keys, value))
    return set()


def assert_keys_documented(command, text):
    page = (MAN / f"kmln-{command}.1.scd").read_text().split("\n# JSON\n")[1].split("\n# ")[0]
    keys = json_keys(json.loads(text))
    assert keys
    # scdoc wants no escape for _ inside a word
    assert not {key for key in keys if f"*{key}*" not in page.replace("\\_", "_")}


@pytest.mark.parametrize("name", ["busybox", "awkward", "disk"])
def test_keys_of_inspect(name, guest, tmp_path, kmln):
    image = (guests.partitioned(guest("busybox"), tmp_path / "disk") if name == "disk"
             else guest(name))
    assert_keys_documented("inspect", kmln("inspect", image, "--format", "json", expect=0).out)


@pytest.mark.network
def test_keys_of_inspect_debian_and_kernel(guest, tmp_path, kmln):
    assert_keys_documented("inspect",
                           kmln("inspect", guest("sysvinit"), "--format", "json", expect=0).out)
    kmln("kernel", "add", guest("kernel"), expect=0)
    assert_keys_documented("kernel", kmln("kernel", "list", "--format", "json", expect=0).out)
