"""How much of the machine others used while something was measured (Linux)."""

import os
import time

_TICKS = os.sysconf("SC_CLK_TCK")


def _machine():
    """Seconds of all processors that were busy or taken by the hypervisor."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICKS


def process_seconds(pid):
    """Processor time of a process so far; 0 if it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


class Foreign:
    """The share of all processors that was used by others than this process, its ended children
    and the processes `pids`, from the making of the object to `share()`."""

    def __init__(self, pids=()):
        self._pids = list(pids)
        self._begin = self._now()

    def _now(self):
        times = os.times()
        own = times.user + times.system + times.children_user + times.children_system
        return time.monotonic(), _machine() - own - sum(map(process_seconds, self._pids))

    def share(self):
        now = self._now()
        spent = (now[0] - self._begin[0]) * os.cpu_count()
        return max(0.0, (now[1] - self._begin[1]) / spent) if spent > 0 else 0.0
