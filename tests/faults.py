# SPDX-License-Identifier: GPL-2.0-or-later
"""What can happen to kmln at any moment, made to happen at a chosen one: strace counts the system
calls that change something, and at the Nth it kills the process or lets the call fail."""

import re
import subprocess

import runner

# what changes a file, a folder or what is on disk
CHANGES = ("write", "pwrite64", "fallocate", "ftruncate", "fsync", "fdatasync", "linkat", "unlink",
           "rename", "renameat2", "copy_file_range", "openat", "sync_file_range")
READS = ("pread64",)


def _strace(options, argv, env, timeout):
    return subprocess.run([runner.need_program("strace", "strace"), "-qq", "-o", "/dev/null", *options, "--",
                           *map(str, argv)], capture_output=True, text=True, timeout=timeout,
                          env={**runner.os.environ, **runner.sanitizer_env(), **{k: str(v) for k, v in env.items()}})


def count(argv, calls, env, timeout=120):
    """How many of these calls a run of argv makes, in its own process; it must succeed."""
    done = subprocess.run([runner.need_program("strace", "strace"), "-qq", "-c", "-e", "trace=" + ",".join(calls),
                           "-o", "/dev/stdout", "--", *map(str, argv)], capture_output=True, text=True,
                          timeout=timeout,
                          env={**runner.os.environ, **runner.sanitizer_env(), **{k: str(v) for k, v in env.items()}})
    assert done.returncode == 0, (done.stdout, done.stderr)
    # the last line: % time, seconds, usecs/call, calls, and errors where there were any
    total = re.search(r"^100\.00 +\S+ +\S+ +(\d+) .*total$", done.stdout, re.M)
    assert total, done.stdout
    return int(total[1])


def killed_at(argv, calls, number, env, timeout=120):
    """Runs argv and kills it (-9) as it enters the call with this number; True where it came so far."""
    done = _strace(["-e", "trace=" + ",".join(calls), "-e",
                    f"inject={','.join(calls)}:signal=SIGKILL:when={number}"], argv, env, timeout)
    assert done.returncode in (0, -9, 137), (done.returncode, done.stdout, done.stderr)
    return done.returncode != 0


def failing_at(argv, calls, number, error, env, timeout=120):
    """Runs argv with that call, and all after it, failing with `error`; a CompletedProcess."""
    return _strace(["-e", "trace=" + ",".join(calls), "-e",
                    f"inject={','.join(calls)}:error={error}:when={number}+"], argv, env, timeout)
