#!/bin/sh
# A job of pg-manage's schedule, called by cron or systemd. Written by: manage.ts --action schedule
#
#   JOB              waits a moment, so that many hosts do not begin together, and runs
#   JOB --if-missed  runs only when the last time was missed: the machine or cron was down
#
# Says nothing when all goes well, or when the run before has not ended yet.
set -u
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

stamp=@STAMP@   # when it was last begun
lock=@LOCK@
missed_after=@MISSED_AFTER@   # minutes
jitter=@JITTER@   # seconds

if [ "${1-}" != --locked ]; then
  if [ "${1-}" = --if-missed ]; then
    [ -z "$(find "$stamp" -mmin "-$missed_after" 2>/dev/null)" ] || exit 0
  elif [ "$jitter" -gt 0 ]; then
    sleep "$(($(od -An -N2 -tu2 /dev/urandom) % (jitter + 1)))"
  fi
  # --close: no server that is started meanwhile keeps the lock. Without flock, the tool's own locks have to do.
  command -v flock >/dev/null && exec flock --nonblock --close --conflict-exit-code 0 "$lock" "$0" --locked
fi

: >"$stamp"
@COMMANDS@
