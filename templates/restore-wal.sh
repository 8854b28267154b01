#!/bin/sh
# restore-wal NAME TARGET FOLDER [FOLDER ...]: gives one WAL file back to a server in recovery, unpacked where it is stored
# compressed.
#
# 0    the file is at TARGET
# 1    proven: no FOLDER has it. The server takes this for the end of the WAL.
# 126  anything else. The server stops rather than taking a disk error for the end (PostgreSQL's xlogarchive.c).
set -u
PATH=${PATH:-}:/usr/local/bin:/usr/bin:/bin # a server keeps the environment that it was started with, which may be bare
name=$1 target=$2
temporary=$target.unpacking
shift 2

fail() {
  echo "restore-wal: $1" >&2
  rm -f -- "$temporary"
  exit 126
}

give() {
  case $1 in
    *.zst) unpacker=zstd ;;
    *.lz4) unpacker=lz4 ;;
    *.gz) unpacker=gzip ;;
    *) cp -- "$1" "$target" && exit 0; fail "$1 cannot be read" ;;
  esac
  command -v "$unpacker" >/dev/null || fail "$1 cannot be read: $unpacker is not installed"
  # From stdin, as they refuse links by name; and lz4 takes an empty file for an empty content.
  "$unpacker" -d -c -q <"$1" >"$temporary" && [ -s "$temporary" ] || fail "$1 cannot be read: it is damaged, or $temporary cannot be written"
  mv -f -- "$temporary" "$target" && exit 0
  fail "$temporary cannot be moved to $target"
}

# Absence is proven by its own words; whatever else looking ends with might be the disk.
prove_absent() {
  if why=$(LC_ALL=C ls -d -- "$1" 2>&1 >/dev/null); then
    [ ! -e "$1" ] || give "$1" # archived in this moment
    fail "$1 cannot be read" # a link that leads nowhere
  fi
  case $why in
    *": No such file or directory") ;; # an error of the disk has other words, at the end too
    *) fail "$why" ;;
  esac
}

for folder in "$@"; do
  for suffix in '' .zst .lz4 .gz; do
    [ ! -e "$folder/$name$suffix" ] || give "$folder/$name$suffix"
  done
  for suffix in '' .zst .lz4 .gz; do
    prove_absent "$folder/$name$suffix"
  done
  if [ ! -d "$folder" ] || [ ! -x "$folder" ]; then
    fail "the archive folder $folder cannot be read"
  fi
done
exit 1
