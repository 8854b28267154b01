#!/bin/sh
# archive-wal SOURCE NAME FOLDER ID SYSTEM: keeps one WAL file for good. Called by the server, for every file (segments,
# .history, .backup, .partial), with SOURCE relative to the data directory (PostgreSQL's documentation, "Setting Up WAL
# Archiving"). ID is the instance that FOLDER must belong to, SYSTEM the database system that the WAL must be of.
#
# 0   the file is in FOLDER under NAME, whole and synced (also when it already was: a resend after a crash)
# 1   not archived; the server counts a failure, keeps the file and tries again. Never above 125, which is not counted.
#
# A file is never overwritten: the same name with other content means that two servers write to one archive.
set -u
source=$1 name=$2 folder=$3 id=${4-} system=${5-}
target=$folder/$name
temporary=$folder/.$name.$$

fail() {
  echo "archive-wal: $name: $1" >&2
  rm -f -- "$temporary"
  exit 1
}
trap 'fail "interrupted"' HUP INT TERM

[ -d "$folder" ] || fail "the archive folder $folder is missing"
if [ -n "$id" ]; then
  owner=
  read -r owner <"$folder/.instance" || fail "$folder does not say whose archive it is"
  [ "$owner" = "$id" ] || fail "$folder is the archive of another instance ($owner)"
fi

# A segment's first page names its database system, in the machine's byte order (xlog_internal.h).
case $name in
  *.*) ;;
  *)
    if [ -n "$system" ]; then
      found=$(od -A n -t u8 -j 24 -N 8 -- "$source" 2>/dev/null | tr -d ' ') || fail "cannot be read"
      [ "$found" = "$system" ] || fail "is WAL of database system ${found:-unknown}, not of $system"
    fi
    ;;
esac

if [ -e "$target" ]; then
  cmp -s -- "$source" "$target" || fail "another file of this name is archived already in $folder"
else
  for left in "$folder/.$name".*; do
    # What a crash left of an earlier attempt; one that is at it now has a living process.
    kill -0 "${left##*.}" 2>/dev/null || rm -f -- "$left"
  done
  dd if="$source" of="$temporary" bs=1048576 conv=fsync 2>/dev/null || fail "cannot be written to $folder"
  # A link refuses to replace what another process has put there meanwhile.
  ln -- "$temporary" "$target" 2>/dev/null || cmp -s -- "$source" "$target" || fail "cannot be published in $folder"
  rm -f -- "$temporary"
fi
sync -- "$folder" || fail "the archive folder cannot be synced"
