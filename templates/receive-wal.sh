#!/bin/sh
# receive-wal PROGRAM SOCKET PORT ROLE FOLDER LOG: has pg_receivewal (PROGRAM) receive a server's WAL as it is written, and
# sync it into FOLDER: there are the last moments, which no archived segment holds yet. ROLE is also the name of its slot.
# Started with the instance and ended by TERM, with pg_receivewal; until then that is started again whenever it ends: when the
# server is away, the disk is full, or somebody has killed it. A slot that was lost while nobody received is made anew. All that
# both say goes to LOG, which is their output.
set -u
PATH=${PATH:-}:/usr/local/bin:/usr/bin:/bin
program=$1 socket=$2 port=$3 role=$4 folder=$5 log=$6
segment=16777216
archive=${folder%/tail/*}
child='' ending=''

trap 'ending=1; [ -z "$child" ] || kill "$child" 2>/dev/null' HUP INT TERM

# A signal to us ends `wait`, and not what is waited for.
await() {
  child=$1
  [ -z "$ending" ] || kill "$child" 2>/dev/null
  while kill -0 "$child" 2>/dev/null; do wait "$child"; done
  child=''
}

receivewal() {
  "$program" --host="$socket" --port="$port" --username="$role" --no-password --slot="$role" "$@"
}

# More WAL was needed than the server may keep for the slot: nothing can be received through it any more. What was missed is
# archived, as the server removes nothing before; so is what had been received of it, and is in the way of going on.
renew() {
  echo "receive-wal: the server has lost what the slot was to keep: it is made anew"
  receivewal --drop-slot && receivewal --create-slot || return
  for received in "$folder"/*; do
    name=${received##*/}
    name=${name%.partial}
    for stored in "$archive/$name" "$archive/$name.zst" "$archive/$name.lz4" "$archive/$name.gz"; do
      [ ! -e "$stored" ] || rm -f -- "$received"
    done
  done
}

pause=0
while [ -z "$ending" ]; do
  # A new file is filled with zeros before anything is received into it. One that was cut off in the middle of that holds
  # nothing, and pg_receivewal would refuse it for ever.
  find "$folder" -name '*.partial' ! -size "${segment}c" -exec rm -f -- {} +
  begun=$(date +%s) said=$(wc -c <"$log")
  "$program" --host="$socket" --port="$port" --username="$role" --no-password --slot="$role" --directory="$folder" \
    --synchronous --status-interval=1 --no-loop &
  await $!
  [ -z "$ending" ] || exit 0
  if tail -c "+$((said + 1))" "$log" | grep -q 'invalidated\|already been removed'; then renew; fi
  # At once, then after a second, and later every five: the server may be away for days.
  if [ $(($(date +%s) - begun)) -ge 60 ]; then pause=0; fi
  [ "$(wc -c <"$log")" -lt 1000000 ] || : >"$log"
  if [ "$pause" -gt 0 ]; then
    sleep "$pause" &
    await $!
  fi
  pause=$((pause < 5 ? pause + 1 : 5))
done
