/**
 * What the guardian runs: POSIX sh, which every Unix has as /bin/sh, with nothing but its builtins and `sleep` (and
 * `ps` where there is no /proc).
 *
 * Its stdin has a line for each child that starts, `add PID START GROUP TERM KILL`, and for each that is gone, `del
 * PID`. Only the host has the other end, so the end of its stdin is the end of the host, however that came. From then
 * on it ends the children as the host would have: SIGTERM after TERM tenths of a second, SIGKILL after KILL.
 *
 * GROUP is 1 for a process group. START is when the process started, which tells it from a later one with the same
 * number; `-`: the host cannot tell. A process of another start, or of none, is never signalled.
 */
export const GUARDIAN_NAME = 'symphony-guardian'

export const GUARDIAN_SCRIPT = `
set -f
# A signal for the host may be sent to all of its processes: this one must outlive the host.
trap '' HUP INT QUIT TERM

# Sets found to the start of process $1: empty if it is gone, or only waits to be reaped.
find_start() {
  found= stat=
  if [ -r /proc/self/stat ]; then
    { while IFS= read -r part; do stat="$stat $part"; done </proc/"$1"/stat; } 2>/dev/null
    # The name in parentheses may contain anything.
    set -- \${stat##*) }
    case $1 in Z | X) ;; *) found=\${20} ;; esac
  else
    found=$(ps -o lstart= -p "$1" 2>/dev/null | tr -s ' ' _)
  fi
}

# Sends signal $1 to process $2 that started at $3, to its group if $4 is 1; 0 only asks. False: nothing is left of it.
tell() {
  find_start "$2"
  if [ "$4" = 1 ]; then
    # While there is the group, no other process gets its number.
    [ -z "$found" ] || [ "$found" = "$3" ] || return 1
    kill -s "$1" -- "-$2" 2>/dev/null && return
  fi
  [ -n "$found" ] && [ "$found" = "$3" ] && kill -s "$1" "$2" 2>/dev/null
}

wards=
while read -r word pid start group term kill; do
  case $word in
  add)
    if [ "$start" = - ]; then
      find_start "$pid"
      start=$found
    fi
    [ -z "$start" ] || wards="$wards $pid $start $group $term $kill"
    ;;
  del)
    set -- $wards
    wards=
    while [ $# -gt 0 ]; do
      [ "$1" = "$pid" ] || wards="$wards $1 $2 $3 $4 $5"
      shift 5
    done
    ;;
  esac
done

tenths=0
while :; do
  set -- $wards
  wards=
  while [ $# -gt 0 ]; do
    if [ "$tenths" -ge "$5" ]; then
      tell KILL "$1" "$2" "$3"
    elif [ "$4" != told ] && [ "$tenths" -ge "$4" ]; then
      tell TERM "$1" "$2" "$3" && wards="$wards $1 $2 $3 told $5"
    elif tell 0 "$1" "$2" "$3"; then
      wards="$wards $1 $2 $3 $4 $5"
    fi
    shift 5
  done
  [ -n "$wards" ] || exit 0
  # POSIX knows whole seconds only.
  if sleep 0.1 2>/dev/null; then
    tenths=$((tenths + 1))
  else
    sleep 1
    tenths=$((tenths + 10))
  fi
done
`
