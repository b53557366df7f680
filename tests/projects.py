# SPDX-License-Identifier: GPL-2.0-or-later
"""Resolved clusters for tests: what the text says of each host, as plain data."""

import re

import runner


def text(path, **options):
    """The resolved cluster as text; the file must have no errors."""
    return runner.run([runner.BUILD / "tests/project/resolved", path], expect=0, **options)


def blocks(lines):
    """Lines of a laid out file as a list of (words, children or None)."""
    found = []
    for line in lines:
        line = line.strip()
        if line == "}":
            return found
        if line.endswith("{ }"):
            found.append((line[:-3].strip(), []))
        elif line.endswith(" {"):
            found.append((line[:-2], blocks(lines)))
        elif line:
            found.append((line, None))
    return found


def hosts(path):
    """{host: {keyword: value or list of lines}}; interfaces are {"network eth0": {...}}."""
    found = {}
    for words, children in blocks(iter(text(path).out.splitlines())):
        if words.startswith("host "):
            found[words[5:]] = _fields(children)
    return found


def _fields(items):
    fields = {}
    for words, children in items:
        key, _, value = words.partition(" ")
        if children is None:
            fields[key] = f"{fields[key]} {value}" if key in fields else value
        elif key == "network":
            fields[words] = _fields(children)
        else:
            fields[words] = [line for line, _ in children]
    return fields


def addresses(path):
    """{(host, interface): (addresses, mac)}"""
    return {(name, key[8:]): (net.get("address"), net["mac"])
            for name, host in hosts(path).items() for key, net in host.items() if key.startswith("network ")}


def mac_ok(mac):
    return re.fullmatch(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", mac) and int(mac[:2], 16) & 3 == 2
