# SPDX-License-Identifier: GPL-2.0-or-later
"""What can happen to kmln at any moment, made to happen at a chosen one: strace counts the system
calls that change something, and at the Nth it kills the process or lets the call fail."""

import os
import random
import re
import signal
import subprocess

import runner

# what changes a file, a folder or what is on disk; strace counts each call by itself
CHANGES = ("pwrite64", "copy_file_range", "fallocate", "ftruncate", "fsync", "fdatasync", "linkat", "unlink",
           "rename", "renameat2")


def _as_from_a_terminal():
    """Whoever runs the tests in the background lets them ignore these, and children inherit that."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def _surroundings(env):
    """LeakSanitizer traces the process itself at its end, and only one may."""
    sanitizer = runner.sanitizer_env()
    sanitizer["ASAN_OPTIONS"] = sanitizer["ASAN_OPTIONS"].replace("detect_leaks=1", "detect_leaks=0")
    return {**os.environ, **sanitizer, **{k: str(v) for k, v in env.items()}}


def _strace(options, argv, env, timeout):
    return subprocess.run([runner.need_program("strace", "strace"), "-qq", "-o", "/dev/null", *options, "--",
                           *map(str, argv)], capture_output=True, text=True, timeout=timeout,
                          preexec_fn=_as_from_a_terminal,
                          env=_surroundings(env))


def count(argv, calls, env, timeout=120):
    """How often a run of argv, in its own process, makes each of these calls: {name: number}. It must
    succeed."""
    done = subprocess.run([runner.need_program("strace", "strace"), "-qq", "-c", "-e", "trace=" + ",".join(calls),
                           "-o", "/dev/stdout", "--", *map(str, argv)], capture_output=True, text=True,
                          timeout=timeout,
                          env=_surroundings(env))
    assert done.returncode == 0, (done.stdout, done.stderr)
    # % time, seconds, usecs/call, calls, errors where there were any, name
    rows = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$", done.stdout, re.M)
    numbers = {name: int(number) for number, name in rows if name in calls}
    assert numbers, done.stdout
    return numbers


def killed_at(argv, call, number, env, timeout=120, number_of_signal=signal.SIGKILL):
    """Runs argv and kills it (-9) as it enters this call for the time `number`; True where it came so
    far."""
    name = signal.Signals(number_of_signal).name
    done = _strace(["-e", f"trace={call}", "-e", f"inject={call}:signal={name}:when={number}"], argv, env,
                   timeout)
    assert done.returncode in (0, -number_of_signal, 128 + number_of_signal), (
        done.returncode, done.stdout, done.stderr)
    return done.returncode != 0


def failing_at(argv, call, number, error, env, timeout=120):
    """Runs argv with this call failing with `error` from its time `number` on; a CompletedProcess."""
    return _strace(["-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={number}+"], argv, env,
                   timeout)


def kill_points(argv, env, number):
    """Calls to be killed at: some writes at random, and each of the few calls that make things
    certain."""
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    counts = count(argv, CHANGES, env)
    print(f"seed {seed}: {counts}")
    writes = [(call, rng.randint(1, counts[call])) for call in ("pwrite64",) * number if call in counts]
    rare = [(call, n) for call, total in counts.items() for n in range(max(total - 3, 1), total + 1)]
    return sorted({*writes, *rare})
