# Shared by the scripts of this folder: messages, progress, the machine. Sourced, not run.
# shellcheck shell=bash disable=SC2034

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
BUILD="$ROOT/build"
DEPS="$BUILD/deps"
LOGS="$BUILD/logs"
RAGSTONE="$BUILD/release/bin/ragstone"
TICKER=""

say() { printf '%s\n' "$*"; }

# Ends the script: what failed, why, and what to do about it.
die() {
  printf '\nerror: %s\n' "$1" >&2
  [ -z "${2:-}" ] || printf 'remedy: %s\n' "$2" >&2
  exit 1
}

minutes() { awk -v s="$1" 'BEGIN { printf "%.1f min", s / 60 }'; }

stop_ticker() {
  if [ -n "$TICKER" ]; then
    kill "$TICKER" 2>/dev/null || true
    wait "$TICKER" 2>/dev/null || true
    TICKER=""
  fi
}
trap stop_ticker EXIT

# Prints how far a logged command is: often on a terminal, every 30 s into a file.
tick() {
  local title="$1" log="$2" start=$SECONDS last=0 line
  while sleep 1; do
    line="$(tail -c 400 "$log" 2>/dev/null | tr '\r' '\n' | grep -aoE '^\[[0-9]+/[0-9]+\]' | tail -n 1 || true)"
    if [ -t 1 ]; then
      printf '\r      %s: %s s %s   ' "$title" "$((SECONDS - start))" "$line"
    elif [ $((SECONDS - last)) -ge 30 ] && [ $((SECONDS - start)) -ge 30 ]; then
      last=$SECONDS
      printf '      %s: %s s %s\n' "$title" "$((SECONDS - start))" "$line"
    fi
  done
}

# logged TITLE LOG COMMAND...: runs the command with its output in build/logs/LOG, showing progress.
# Returns the command's exit status.
logged() {
  local title="$1" log="$LOGS/$2" status=0 start=$SECONDS
  shift 2
  mkdir -p "$LOGS"
  : >"$log"
  tick "$title" "$log" &
  TICKER=$!
  "$@" >"$log" 2>&1 </dev/null || status=$?
  stop_ticker
  [ ! -t 1 ] || printf '\r\033[K'
  [ "$status" -ne 0 ] || say "      $title: done, $((SECONDS - start)) s"
  return "$status"
}

# Shows the end of a log on stderr.
show_log() {
  printf '\n--- the last lines of %s ---\n' "${LOGS#"$ROOT"/}/$1" >&2
  tail -n "${2:-40}" "$LOGS/$1" >&2
}

# How many compilers may run beside each other: one per core, and 1.5 GB of free memory for each.
job_count() {
  local cores memory_kb by_memory
  cores="$(nproc)"
  memory_kb="$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)"
  by_memory=$((memory_kb / 1500000))
  [ "$by_memory" -ge 1 ] || by_memory=1
  [ "$by_memory" -lt "$cores" ] && echo "$by_memory" || echo "$cores"
}

# Debian's own Python where there is one: its packages (pip, venv) belong to it.
python_program() {
  if [ -x /usr/bin/python3 ]; then echo /usr/bin/python3; else command -v python3 || true; fi
}

# free_mb DIR: megabytes free for this user on the file system of DIR.
free_mb() { df -Pm "$1" | awk 'NR == 2 { print $4 }'; }

is_debian_12() {
  [ -r /etc/os-release ] || return 1
  (. /etc/os-release && [ "${ID:-}" = debian ] && [ "${VERSION_ID:-}" = 12 ])
}
