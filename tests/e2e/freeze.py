#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
freeze.py PID: stops one thread of a process, one that waits in an event loop and is not the first; says "frozen" and
lets it go on when standard input ends. Needs the right to trace it.
"""
import ctypes, os, sys

EPOLL = {"232", "281", "22"}  # epoll_wait, epoll_pwait (x86-64), epoll_pwait (arm64)
ATTACH, DETACH, WALL = 16, 17, 0x40000000


def waits(tid):
    with open(f"/proc/{pid}/task/{tid}/syscall") as f:
        return f.read().split()[0] in EPOLL


pid = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
tid = [t for t in sorted(map(int, os.listdir(f"/proc/{pid}/task"))) if t != pid and waits(t)][0]
if libc.ptrace(ATTACH, tid, None, None) != 0:
    sys.exit(f"cannot trace {tid}: {os.strerror(ctypes.get_errno())}")
os.waitpid(tid, WALL)
print("frozen", flush=True)
sys.stdin.read()
libc.ptrace(DETACH, tid, None, None)
