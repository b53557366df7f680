# SPDX-License-Identifier: GPL-2.0-or-later
"""Random projects, made from the table of words as tests/project/vocabulary prints it: a new keyword is
in them without a change here. A project is a tree of Node; what kmln finds wrong in one (values that
exclude each other, say) is cut out by the line that it names, until nothing is."""

import json
import random

import runner

VOCABULARY = runner.BUILD / "tests/project/vocabulary"
# blanks, everything that is special in text, XML or a shell, and what is not ASCII
WORDS = ["word", "two words", "<&>", "]]>", "--", "&amp;", "it's", 'say "so"', "a\\b", "\\", "$", "cost $5",
         "$name", "#hash", "a;b", "{", "}", "=", "ünïcödé", "日本", "\ttab", " lead", "trail ", "%", "-"]
LINES = ["true", "echo one; echo two", "if [ -d /x ]; then", "fi", 'printf "%s\\n" "$HOME" ${USER}', "a && b || c",
         "cat <<EOF >&2", "<EOF", "f() { g; }", "sed -e 's/{/(/' -e 's/}/)/'", "echo 'a # b' # c", "echo \\; \\$x",
         "awk '{print $1}'", "ünïcödé", "]]>", "&lt;"]


def vocabulary():
    return json.loads(runner.run([VOCABULARY], expect=0).out)["keywords"]


class Node:
    """An item, or with children a block; `raw` is a shell line."""

    def __init__(self, text, children=None, raw=False):
        self.text, self.children, self.raw = text, children, raw

    def render(self, depth, lines, owners):
        tabs = "\t" * depth
        lines.append(tabs + self.text + (" {" if self.children is not None else ""))
        owners.append(self)
        for child in self.children or []:
            child.render(depth + 1, lines, owners)
        if self.children is not None:
            lines.append(tabs + "}")
            owners.append(self)


def quote(value):
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") + '"'


class Maker:
    def __init__(self, seed, keywords):
        self.random = random.Random(seed)
        self.keywords = [k for k in keywords if k["standing"] != "refused"]
        self.number = 0
        self.hosts, self.switches, self.classes = [], [], []

    def fresh(self, prefix):
        self.number += 1
        return f"{prefix}{self.number}"

    def some(self, sequence, otherwise):
        return self.random.choice(sequence) if sequence else otherwise

    def value(self, column):
        """A word of the column's type, as it is written in text."""
        r = self.random
        kind = column["type"]
        plain = {
            "host-name": lambda: self.fresh("h"),
            "switch-name": lambda: self.fresh("s_."),
            "class-name": lambda: self.fresh("c-x"),
            "device": lambda: self.fresh("eth"),
            "user": lambda: self.fresh("u"),
            "program": lambda: self.fresh("lib+p."),
            "host": lambda: self.some(self.hosts, "nobody"),
            "switch": lambda: self.some(self.switches, "/run/a.ctl"),
            "superclass": lambda: self.some(self.classes, "nothing"),
            "image": lambda: r.choice(["debian", "./my image.img", "/srv/a&b.img"]),
            "path": lambda: r.choice(["/usr/lib/x", "/srv/a b", "dir/file"]),
            "inside": lambda: r.choice(["dir/file", "a b/c"]),
            "guest-path": lambda: f"/mnt/{self.fresh('a b')}",
            "number": lambda: str(r.randint(column["least"], min(column["most"] or 99, column["least"] + 40))),
            "size": lambda: r.choice(["64M", "1G", "300MB", "2000K"]),
            "rate": lambda: r.choice(["10Mbit", "512kbit"]),
            "time": lambda: r.choice(["20ms", "1.5s"]),
            "share": lambda: r.choice(["5%", "0.1%"]),
            "mode": lambda: r.choice(["644", "0755"]),
            "address": lambda: r.choice(["dhcp", "auto", "none", f"10.77.{r.randrange(256)}.{r.randrange(1, 255)}/16",
                                         f"fd00:77::{r.randrange(1, 65536):x}/64"]),
            "ip": lambda: f"10.77.{r.randrange(256)}.{r.randrange(1, 255)}",
            "netmask": lambda: "255.255.0.0",
            "net": lambda: r.choice([f"10.{r.randrange(100, 200)}.0.0/16", f"fd00:{r.randrange(1, 9999)}::/64"]),
            "mac": lambda: "02:" + ":".join(f"{r.randrange(256):02x}" for _ in range(5)),
            "forward": lambda: f"{r.randrange(1024, 60000)}:{r.randrange(1, 60000)}" + r.choice(["", "/udp", "/tcp"]),
            "choice": lambda: r.choice(column.get("choices", ["x"])),
            "pattern": lambda: r.choice(["22", "login: $", "a|b{2}"]),
            "secret": lambda: r.choice(["$6$ab.c/$Xyz", "secret", *WORDS]),
            "text": lambda: r.choice(WORDS),
        }[kind]()
        return quote(plain) if kind in ("text", "secret", "pattern") or " " in plain or r.random() < 0.05 else plain

    def words(self, columns):
        found = []
        for column in columns:
            if column["optional"] and self.random.random() < 0.4:
                break
            found += [self.value(column) for _ in range(self.random.randint(1, 3) if column["rest"] else 1)]
        return " ".join(found)

    def comment(self, children):
        if self.random.random() < 0.1:
            children.insert(self.random.randint(0, len(children)), Node("# a comment <!-- -- > & so on"))
        return children

    def rows(self, columns):
        return self.comment([Node(self.words(columns)) for _ in range(self.random.randint(0, 3))])

    def lines(self):
        chosen = self.random.choices(LINES, k=self.random.randint(0, 5))
        return [Node(self.random.choice(["", "", "    "]) + line, raw=True) for line in chosen]

    def keyword(self, k):
        """Items for one keyword."""
        r = self.random
        if k["shape"] == "flag":
            return [Node(k["name"] + r.choice(["", " on", " off"]))]
        if k["shape"] == "value":
            times = r.randint(1, 2) if k["repeated"] else 1
            return [Node(f"{k['name']} {self.words(k['columns'])}".rstrip()) for _ in range(times)]
        if k["shape"] == "rows":
            return [Node(k["name"], self.rows(k["columns"]))]
        if k["shape"] == "lines":
            return [Node(k["name"], self.lines())]
        if k["opens"] == "groups":
            user = [{"type": "user", "optional": False, "rest": False}]
            return [Node(k["name"], [Node(self.fresh("g"), self.rows(user)) for _ in range(r.randint(1, 2))])]
        if k["named"]:
            name = {"type": k["name_type"], "least": 0, "most": 0}
            return [Node(f"{k['name']} {self.value(name)}", self.block(k["opens"]))]
        return [Node(k["name"], self.block(k["opens"]))]

    def block(self, kind):
        """The items of a block: each keyword that may stand there, perhaps."""
        places = [k for k in self.keywords if kind in k["in"]]
        share = 0.12 if len(places) > 30 else 0.4
        # without these MLN's numbered hosts are none
        needed = {"superclass", "numhosts", "hostprefix"} if kind == "autoenum" else set()
        found = []
        for k in places:
            if k["name"] in needed or self.random.random() < share:
                found += self.keyword(k)
        self.random.shuffle(found)
        if kind in ("switch", "host", "superclass") and self.random.random() < 0.3:
            found = [n for n in found if not n.text.startswith("group ")]
            name = self.fresh("v")
            found.insert(0, Node(f"${name} = {self.value({'type': 'text'})}"))
            found.append(Node(f'group "a$[{name}] ${name}"'))
        return self.comment(found)

    def removals(self):
        r = self.random
        inherited = [k for k in self.keywords if "host" in k["in"] and k["merge"] != "own"]
        found = []
        for k in r.sample(inherited, r.randint(0, 3)):
            if k["shape"] in ("rows", "lines") and r.random() < 0.5:
                found.append(Node(f"replace {k['name']}", self.keyword(k)[0].children))
            else:
                found.append(Node(f"remove {k['name']}"))
        return found

    def named(self, word, names):
        """Blocks of one keyword, some of them in a group."""
        children = []
        for name in names:
            block = self.block(word)
            if name == "sw0":  # one that forwards can come in by
                block = [n for n in block if n.text.split()[0] in ("delay", "loss", "rate", "owner")]
                block += [Node("net 10.50.0.0/16"), Node("uplink nat")]
            if word == "host" and self.random.random() < 0.6:
                block.append(Node("network in0", [Node("switch sw0")]))
            if word != "switch" and self.classes and not any(c.text.startswith("superclass ") for c in block):
                # only what stands before, so that there is no circle
                before = self.classes[:self.classes.index(name)] if name in self.classes else self.classes
                if before:
                    block.insert(0, Node(f"superclass {self.random.choice(before)}"))
                    block += self.removals()
            children.append((name, block))
        if self.random.random() < 0.4:
            half = len(children) // 2
            group = Node(word, [Node(name, block) for name, block in children[:half]])
            return [group] + [Node(f"{word} {name}", block) for name, block in children[half:]]
        return [Node(f"{word} {name}", block) for name, block in children]

    def project(self):
        self.switches = [f"sw{i}" for i in range(self.random.randint(1, 3))]
        self.classes = [f"class{i}" for i in range(self.random.randint(1, 3))]
        self.hosts = [f"host{i}" for i in range(self.random.randint(1, 4))]
        whole = [n for n in self.block("global") if not n.text.startswith("project ")]
        return [Node("global", [Node("project random"), *whole]), *self.named("switch", self.switches),
                *self.named("superclass", self.classes), *self.named("host", self.hosts)]


def text_of(nodes):
    lines, owners = [], []
    for node in nodes:
        node.render(0, lines, owners)
    return "\n".join(lines) + "\n", owners


def cut(nodes, bad):
    """The tree without these nodes."""
    kept = []
    for node in nodes:
        if id(node) not in bad:
            if node.children is not None:
                node.children = cut(node.children, bad)
            kept.append(node)
    return kept


def valid_project(seed, keywords, kmln, path):
    """Writes a random project without mistakes to `path`, and returns its text."""
    nodes = Maker(seed, keywords).project()
    for _ in range(60):
        text, owners = text_of(nodes)
        path.write_text(text)
        found = json.loads(kmln("validate", "--portable", "-f", path, "--format", "json", expect={0, 3}).out)
        errors = [m for m in found["mistakes"] if m["severity"] == "error"]
        if not errors:
            return text
        bad = {id(owners[m["line"] - 1]) for m in errors if m.get("line")}
        # a block alone would take all that is in it along: what is inside goes first
        inner = {id(o) for o in owners if id(o) in bad and o.children is None}
        nodes = cut(nodes, inner or bad)
    raise AssertionError(f"seed {seed}: {errors}")
