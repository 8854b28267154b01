#!/bin/sh
# restore-wal NAME TARGET FOLDER [FOLDER ...]: gives one WAL file back to a server in recovery.
#
# 0    the file is at TARGET
# 1    proven: no FOLDER has it. The server takes this for the end of the WAL.
# 126  anything else. The server stops rather than taking a disk error for the end (PostgreSQL's xlogarchive.c).
set -u
name=$1 target=$2
shift 2
for folder in "$@"; do
  if why=$(LC_ALL=C ls -d -- "$folder/$name" 2>&1 >/dev/null); then
    cp -- "$folder/$name" "$target" && exit 0
    echo "restore-wal: $folder/$name cannot be read" >&2
    exit 126
  fi
  case $why in
    *": No such file or directory") ;; # an error of the disk has other words, at the end too
    *) echo "restore-wal: $why" >&2; exit 126 ;;
  esac
  if [ ! -d "$folder" ] || [ ! -x "$folder" ]; then
    echo "restore-wal: the archive folder $folder cannot be read" >&2
    exit 126
  fi
done
exit 1
