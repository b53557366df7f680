# SPDX-License-Identifier: GPL-2.0-or-later
"""The first inputs of the fuzz targets for the agent's line, for make-corpus.py."""

import struct


def frame(kind, stream, payload=b""):
    return struct.pack("<BBHI", 0x4b, kind, len(payload), stream) + payload


def corpus_frame():
    opened = frame(1, 1, b'{"do":"exec","argv":["true"]}')
    return {
        "stream": b"\x06" + opened + frame(2, 1, b"input") + frame(4, 1) + frame(5, 1, b"\0\0\1\0")
                  + frame(6, 1, b'{"signal":15}') + frame(7, 1),
        "ack": b"\xff" + frame(8, 0, b"\xff\xff\xff\xff") + opened[:-1],
        "long": b"\x80" + frame(3, 2, bytes(16384)),
        "broken": b"\0" + opened + b"\xff{}\n",
    }


def corpus_agent():
    return {
        "sync": b'rub\xff{"execute":"guest-sync-delimited","arguments":{"id":1}}\n\xff'
                b'{"execute": "kmln-frames", "arguments": {"id": 2, "window": 2048}}\nK',
        "write": b'{"execute":"guest-file-write","arguments":{"handle":1000,"buf-b64":"aGVsbG8K"}}\n',
        "paths": b'{"execute":"x","arguments":{"path":"/etc/passwd"}}\n'
                 b'{"execute":"x","arguments":{"bytes":"2fff"}}\n',
        "users": b'{"execute":"ada","arguments":{"passwd":"root:x:0:0:::\\nada:x:10:10:Ada:/a:/bin/sh\\n"}}\n',
        "bad": b'{"execute":1}\n[]\n{\n"\n{"execute":"x","arguments":[]}\n',
    }


def corpus_node_line():
    def step(what, payload=b"", size=None):
        return struct.pack("<BH", what, len(payload) if size is None else size) + payload
    hello = step(0, b'\xff{"event":"KMLN_HELLO","data":{"version":1,"boot":"x"}}\n')
    agreed = hello + step(0, b'\xff{"return":{"id":7}}\n')
    opened = agreed + step(2, b'{"do":"exec","argv":["cat"]}')
    asked = step(7, size=3000) + step(0, b'\xff{"return":7}\n')
    qga = b"\1" + asked + step(0, b'{"error":{"class":"CommandNotFound","desc":"x"},"id":7}\n')
    return {
        "hello": b"\0" + agreed,
        "stream": b"\0" + opened + step(3, b"input") + step(4)
                  + step(0, frame(8, 0, b"\x20\0\0\0") + frame(2, 1, b"output") + frame(3, 1, b"words")
                         + frame(5, 1, b"\0\0\1\0") + frame(4, 1) + frame(7, 1, b'{"return":{"status":0}}')),
        "lies": b"\0" + opened + step(0, frame(5, 1, b"\xff" * 4) * 3 + frame(8, 0, b"\xff" * 4)
                                       + frame(7, 1) * 2) + step(7, size=60000) + hello,
        "taken-back": b"\1" + agreed + step(2 + 8, b'{"do":"get","path":"/x"}') + step(5 + 8, size=9000)
                      + step(6 + 8) + step(0, frame(2, 1, b"late") + frame(7, 1, b"{}")),
        "qga": qga + step(2, b'{"do":"exec","argv":["true"]}') + step(0, b'{"return":{"pid":1},"id":1}\n')
               + step(7, size=1000) + step(0, b'{"return":{"exited":true,"exitcode":0,"out-data":"aGk="},"id":2}\n'),
        "qga-put": qga + step(2, b'{"do":"put","path":"/x","mode":420}') + step(0, b'{"return":1,"id":1}\n')
                   + step(3, b"content") + step(0, b'{"return":{"count":7},"id":2}\n') + step(4)
                   + step(0, b'{"return":{},"id":3}\n') + step(0, b'{"return":{"pid":1},"id":4}\n'),
        "qga-get": qga + step(2, b'{"do":"get","path":"/x"}') + step(0, b'{"return":1,"id":1}\n')
                   + step(0, b'{"return":{"count":2,"buf-b64":"aGk=","eof":true},"id":2}\n')
                   + step(0, b'{"return":{},"id":3}\n'),
        "qga-call": qga + step(2, b'{"do":"call","execute":"guest-info"}') + step(2 + 8, b'{"do":"call"}')
                    + step(0, b'{"return":[[[{}]]],"id":1}\n') + step(7, size=65000),
    }
