# SPDX-License-Identifier: GPL-2.0-or-later
"""The first inputs of the fuzz targets for the agent's line, for make-corpus.py."""

import struct


def corpus_frame():
    def frame(kind, stream, payload=b""):
        return struct.pack("<BBHI", 0x4b, kind, len(payload), stream) + payload
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
