"""Runs a program, and prints how long it took and how much memory it needed.

wait4(2) reports no less memory than the process had that started the program, so this one imports little and is
run on its own, as `python -I -S`.
"""

import os
import sys
import time

out, *argv = sys.argv[1:]
into = (os.POSIX_SPAWN_OPEN, 1, out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
begin = time.monotonic()
child = os.posix_spawnp(argv[0], argv, os.environ, file_actions=[into])
# A process that has ended still shows its own time without that of its children, until its parent waits for it.
os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
seconds = time.monotonic() - begin
with open(f"/proc/{child}/stat", encoding="utf-8") as file:
    user, system, of_children, system_of_children = map(int, file.read().rpartition(")")[2].split()[11:15])
_, status, usage = os.wait4(child, 0)
# getrusage(2) would name the memory of the process that started this one.
with open("/proc/self/status", encoding="utf-8") as file:
    [own] = [line.split()[1] for line in file if line.startswith("VmHWM:")]
ticks = os.sysconf("SC_CLK_TCK")
print(os.waitstatus_to_exitcode(status), seconds, (user + system) / ticks, (of_children + system_of_children) / ticks)
print(usage.ru_maxrss, own)
