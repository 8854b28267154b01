#!/bin/sh
# Brings the instances of pg-manage back with the machine, called by cron or systemd. Written by: manage.ts --action autostart
#
#   with-machine start   starts those that ran when the machine went down; one that was stopped stays stopped
#   with-machine stop    stops them in order; they are started with the machine again
set -u
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
@EXPORTS@

node=@NODE@
launcher=@LAUNCHER@
if [ -x "$node" ] && [ -r "$launcher" ]; then
  case ${1-start} in
    start) exec @START@ ;;
    stop) exec @STOP@ ;;
  esac
  exit 2
fi

# The program is gone, and the servers need nothing of it: they are started, without its checks and without poolers.
[ "${1-start}" = start ] || exit 0 # what has called us ends them
echo "pg-manage: $launcher cannot be run, servers are started without it; once it is back: ./manage.ts --action autostart" >&2
status=0
for record in @INSTANCES@/*/instance.json; do
  [ -r "$record" ] || continue
  folder=${record%/instance.json}
  grep -q '"staysStopped": true' "$record" && continue
  bindir=$(sed -n 's/^  "bindir": "\(.*\)",$/\1/p' "$record")
  if [ -x "$bindir/postgres" ] && [ -d "$folder/data" ]; then
    nohup "$bindir/postgres" -D "$folder/data" >>"$folder/log/server.out" 2>&1 </dev/null &
  else
    echo "pg-manage: $folder cannot be started: no $bindir/postgres" >&2
    status=1
  fi
done
exit "$status"
