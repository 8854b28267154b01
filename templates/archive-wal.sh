#!/bin/sh
# archive-wal SOURCE NAME FOLDER: keeps one WAL file for good. Called by the server, for every file, with SOURCE relative to
# the data directory (PostgreSQL's documentation, "Setting Up WAL Archiving").
#
# 0   the file is in FOLDER under NAME, whole and synced (also when it already was: a resend after a crash)
# 1   not archived; the server keeps the file and tries again
#
# A file is never overwritten: the same name with other content means that two servers write to one archive.
set -u
source=$1 name=$2 folder=$3
target=$folder/$name
temporary=$folder/.$name.$$

fail() {
  echo "archive-wal: $name: $1" >&2
  rm -f -- "$temporary"
  exit 1
}

[ -d "$folder" ] || fail "the archive folder $folder is missing"

if [ -e "$target" ]; then
  cmp -s -- "$source" "$target" || fail "another file of this name is archived already in $folder"
else
  dd if="$source" of="$temporary" bs=1048576 conv=fsync 2>/dev/null || fail "cannot be written to $folder"
  # A link refuses to replace what another process has put there meanwhile.
  ln -- "$temporary" "$target" 2>/dev/null || cmp -s -- "$source" "$target" || fail "cannot be published in $folder"
  rm -f -- "$temporary"
fi
sync -- "$folder" || fail "the archive folder cannot be synced"
