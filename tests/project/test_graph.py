# SPDX-License-Identifier: GPL-2.0-or-later
"""Pictures of clusters: everything is in them, nothing lies on anything else, and no text of a project
becomes more than text."""

import re
import xml.etree.ElementTree as ET

import pytest

import randomproject
import runner

SVG = "{http://www.w3.org/2000/svg}"
EXAMPLES = sorted((runner.ROOT / "examples").glob("*.kmln"))
FIFTY = """global { project lab }
switch net { net 10.9.0.0/16; rate 100Mbit }
superclass node { image x; network eth0 { switch net } }
host node { superclass node; count 50; platform uml }
"""


def campus(switches, hosts, routers):
    """A project with many switches, and hosts on several of them."""
    text = ["global { project campus }"]
    text += [f"switch n{i} {{ net 10.{i}.0.0/24 }}" for i in range(switches)]
    text += [f"host h{i} {{ image x; network e {{ switch n{i * 7 % switches} }} }}" for i in range(hosts)]
    for i in range(routers):
        on = sorted({i % switches, (i * 3 + 1) % switches, (i * 5 + 2) % switches})
        nets = " ".join(f"network e{k} {{ switch n{n} }}" for k, n in enumerate(on))
        text.append(f"host r{i} {{ image x; {nets} }}")
    return "\n".join(text)


def draw(kmln, path):
    text = kmln("graph", "--format", "svg", path, expect=0).out
    return text, ET.fromstring(text)


def boxes(root, name):
    return [tuple(float(r.get(k)) for k in ("x", "y", "width", "height"))
            for r in root.iter(SVG + "rect") if r.get("class") == name]


def overlap(a, b):
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def wires(root):
    """The corners of the long wires: those with a cleared way under them."""
    for path in root.iter(SVG + "path"):
        if path.get("class") == "under":
            yield [tuple(map(int, p)) for p in re.findall(r"(-?\d+) (-?\d+)", path.get("d"))]


def crosses(a, b, box):
    """Whether a straight line goes through the inside of a box."""
    left, right, top, bottom = box[0] + 1, box[0] + box[2] - 1, box[1] + 1, box[1] + box[3] - 1
    return min(a[0], b[0]) < right and max(a[0], b[0]) > left and min(a[1], b[1]) < bottom and max(a[1], b[1]) > top


def assert_tidy(root):
    _, _, width, height = map(int, root.get("viewBox").split())
    cards, panels, frames = (boxes(root, name) for name in ("card", "panel", "frame"))
    for kind in (cards, panels + frames):
        for i, one in enumerate(kind):
            assert not any(overlap(one, other) for other in kind[:i]), one
            assert one[0] >= 0 and one[1] >= 0 and one[0] + one[2] <= width and one[1] + one[3] <= height
    for points in wires(root):
        for a, b in zip(points, points[1:]):
            assert 0 <= min(a[0], b[0]) and max(a[0], b[0]) <= width
            assert not any(crosses(a, b, box) for box in cards + panels + frames), (a, b)
    return cards, panels


def words(root):
    return " ".join("".join(t.itertext()) for t in root.iter(SVG + "text"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_examples(path, kmln):
    text, root = draw(kmln, path)
    cards, panels = assert_tidy(root)
    tree = kmln("graph", path, expect=0).out
    size = re.match(r"(\S+): (\d+) switche?s?, (\d+) hosts?\n", tree)
    assert len(cards) == int(size[3]) and len(panels) >= int(size[2])
    # what the tree says the picture says
    shown = words(root)
    for line in tree.splitlines():
        for word in re.findall(r"[├└]─ (\S+) +(\S+)|([0-9a-f:.]+:[0-9a-f:]+|\d+\.\d+\.\d+\.\d+)", line):
            assert all(part in shown for part in word if part), word
    assert text == kmln("graph", "--format", "svg", path, expect=0).out


@pytest.mark.parametrize("seed", range(8))
def test_random_projects(seed, kmln, tmp_path):
    path = tmp_path / "r.kmln"
    randomproject.valid_project(seed, randomproject.vocabulary(), kmln, path)
    assert_tidy(draw(kmln, path)[1])
    kmln("graph", path, expect=0)
    kmln("graph", "--format", "dot", path, expect=0)


@pytest.mark.parametrize("text", [FIFTY, campus(20, 50, 12), campus(3, 0, 40), campus(1, 1, 0), campus(80, 0, 0),
                                  "global { project empty }"],
                         ids=["fifty", "campus", "routers", "one", "switches", "empty"])
def test_tidy(text, kmln, tmp_path):
    (tmp_path / "p.kmln").write_text(text)
    _, root = draw(kmln, tmp_path / "p.kmln")
    assert_tidy(root)


def test_fifty_hosts_are_legible(kmln, tmp_path):
    """On a screen of 1920 x 1080 names are at least 15 pixels high."""
    (tmp_path / "p.kmln").write_text(FIFTY)
    text, root = draw(kmln, tmp_path / "p.kmln")
    _, _, width, height = map(int, root.get("viewBox").split())
    size = int(re.search(r"\.name\{font-size:(\d+)px", text)[1])
    assert size * min(1920 / width, 1080 / height) >= 15
    shown = words(root)
    assert all(f"node{i}" in shown for i in range(1, 51)) and "rate 100Mbit" in shown


def test_both_colour_schemes_colour_the_same(kmln, tmp_path):
    (tmp_path / "p.kmln").write_text(FIFTY)
    style = re.search(r"<style>(.*?)</style>", draw(kmln, tmp_path / "p.kmln")[0], re.S)[1]
    light, dark = style.split("@media (prefers-color-scheme:dark){")

    def coloured(css):
        rules = re.findall(r"([^{}]+)\{([^{}]*)\}", css)
        return {name.strip() for names, body in rules if "#" in body for name in names.split(",")}
    assert coloured(light) == coloured(dark)


def test_it_can_be_drawn(kmln, tmp_path):
    program = runner.need_program("rsvg-convert", "librsvg2-bin")
    for text in (FIFTY, campus(20, 50, 12)):
        (tmp_path / "p.kmln").write_text(text)
        kmln("graph", tmp_path / "p.kmln", "-o", tmp_path / "p.svg", expect=0)
        runner.run([program, tmp_path / "p.svg", "-o", tmp_path / "p.png"], expect=0)
        assert (tmp_path / "p.png").stat().st_size > 10000


def test_text_stays_text(kmln, tmp_path):
    """What looks like markup is shown as it is."""
    bad = '</text><script>alert(1)</script><a href=&quot;x&quot;>&amp;'
    (tmp_path / "p.kmln").write_text('global { project p }\nswitch s { socket "/run/' + bad + '" }\n'
                                     'host a { image x; network e { switch "/run/' + bad + '" } }\n'
                                     'host b { image x; network e { switch s; loss 5% } }\n')
    text, root = draw(kmln, tmp_path / "p.kmln")
    assert {e.tag.removeprefix(SVG) for e in root.iter()} <= {"svg", "title", "style", "rect", "text", "g", "path", "circle"}
    assert "<script>" not in text and "href" not in " ".join(a for e in root.iter() for a in e.attrib)
    assert "</text><script>" in words(root) and "loss 5%" in words(root)
    dot = kmln("graph", "--format", "dot", tmp_path / "p.kmln", expect=0).out
    # outside of quotes there are only words of Graphviz and numbers of ours
    outside = re.sub(r'"(?:\\.|[^"\\])*"', '""', dot)
    assert '"' not in outside.replace('""', "") and not re.search(r"script|run", outside)
    assert outside.count("{") == outside.count("}") == 1


def test_text_of_the_router(kmln):
    tree = kmln("graph", runner.ROOT / "examples/router.xml", expect=0).out
    assert tree == kmln("graph", runner.ROOT / "examples/router.kmln", expect=0).out
    assert "\nleft  10.1.0.0/24\n├─ gw   auto  eth1  10.1.0.254\n└─ web  auto  eth0  10.1.0.10\n" in tree
    assert "outside  10.0.9.0/24, uplink nat" in tree


def test_format_by_suffix(kmln, tmp_path):
    path = runner.ROOT / "examples/router.kmln"
    for suffix, start in ((".svg", "<?xml"), (".dot", "graph "), (".gv", "graph "), (".txt", "router: ")):
        kmln("graph", path, "-o", tmp_path / f"p{suffix}", expect=0)
        assert (tmp_path / f"p{suffix}").read_text().startswith(start)
    kmln("graph", path, "--format", "text", "-o", tmp_path / "p.svg", expect=0)
    assert (tmp_path / "p.svg").read_text().startswith("router: ")


def test_mistakes_are_shown_and_nothing_is_drawn(kmln, tmp_path):
    (tmp_path / "p.kmln").write_text("global { project p }\nhost a { memroy 1M }\n")
    result = kmln("graph", tmp_path / "p.kmln", "-o", tmp_path / "p.svg", expect=3)
    assert "memroy" in result.err and not (tmp_path / "p.svg").exists()
