#!/bin/sh
# archive-wal SOURCE NAME FOLDER ID SYSTEM PACKER: keeps one WAL file for good. Called by the server, for every file
# (segments, .history, .backup, .partial), with SOURCE relative to the data directory (PostgreSQL's documentation, "Setting
# Up WAL Archiving"). ID is the instance that FOLDER must belong to, SYSTEM the database system that the WAL must be of.
# PACKER is the full path of zstd, lz4 or gzip, which segments are compressed with; without it they are stored as they are.
#
# 0   the file is in FOLDER under NAME (and the suffix of its codec), whole and synced; also when it already was, since a
#     crash may have kept the server from hearing of it
# 1   not archived; the server counts a failure, keeps the file and tries again. Never above 125, which is not counted.
#
# A file is never overwritten: the same name with other content means that two servers write to one archive.
set -u
source=$1 name=$2 folder=$3 id=${4-} system=${5-} packer=${6-}
# What is being written has a folder of its own, so that looking for leftovers does not read through all of the archive.
incoming=$folder/.incoming
temporary=$incoming/$name.$$

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

# Each program costs a millisecond, for every segment: what the shell can do itself, it does.
suffix=
case $name in
  *.*) ;; # small, and read by people
  *)
    # A segment's first page names its database system, in the machine's byte order (xlog_internal.h).
    if [ -n "$system" ]; then
      found=$(od -A n -t u8 -j 24 -N 8 -- "$source" 2>/dev/null) || fail "cannot be read"
      found=${found##* }
      [ "$found" = "$system" ] || fail "is WAL of database system ${found:-unknown}, not of $system"
    fi
    # A program that was removed since the server started is no reason to archive nothing.
    [ -x "$packer" ] && case ${packer##*/} in
      zstd) suffix=.zst ;;
      lz4) suffix=.lz4 ;;
      gzip) suffix=.gz ;;
    esac
    ;;
esac
target=$folder/$name$suffix

# Ends with the archive synced. What a receiver has got of a segment (receive-wal.sh) is not needed beside the archived one.
finish() {
  [ -d "$folder/tail" ] || exec sync -- "$folder"
  sync -- "$folder" || fail "$folder cannot be synced"
  for received in "$folder/tail"/*/*; do
    segment=${received##*/}
    case $segment in *.*) continue ;; esac # it is still received
    for stored in "$folder/$segment" "$folder/$segment.zst" "$folder/$segment.lz4" "$folder/$segment.gz"; do
      [ ! -e "$stored" ] || rm -f -- "$received"
    done
  done
  exit 0
}

# Each codec ends what it stores with a checksum of the content, so that a damaged byte is noticed wherever it is.
store() {
  case $suffix in
    .zst) "$packer" -1 -q --single-thread --check -c -- "$source" ;;
    .lz4) "$packer" -1 -q -c "$source" ;;
    .gz) "$packer" -1 -q -n -c -- "$source" ;;
    *) dd if="$source" of="$temporary" bs=1048576 conv=fsync; return ;;
  esac >"$temporary" && sync -- "$temporary"
}

# Whether a stored file, of whatever codec, has the content of the source.
same() {
  case $1 in
    *.zst) unpacker=zstd ;;
    *.lz4) unpacker=lz4 ;;
    *.gz) unpacker=gzip ;;
    *) cmp -s -- "$source" "$1"; return ;;
  esac
  command -v "$unpacker" >/dev/null || fail "is archived as $1 already, and $unpacker is not there to compare the two"
  "$unpacker" -t -q <"$1" 2>/dev/null && "$unpacker" -d -c -q <"$1" | cmp -s -- "$source" -
}

for stored in "$folder/$name" "$folder/$name.zst" "$folder/$name.lz4" "$folder/$name.gz"; do
  [ -e "$stored" ] || continue
  same "$stored" || fail "another file of this name is archived already in $folder"
  finish
done

[ -d "$incoming" ] || mkdir -- "$incoming" 2>/dev/null || [ -d "$incoming" ] || fail "cannot be written to $folder"
for left in "$incoming/$name".*; do
  # What a crash left of an earlier attempt; one that is at it now has a living process.
  kill -0 "${left##*.}" 2>/dev/null || [ ! -e "$left" ] || rm -f -- "$left"
done
store 2>/dev/null || fail "cannot be written to $folder"
# A link refuses to replace what another process has put there meanwhile.
ln -- "$temporary" "$target" 2>/dev/null || same "$target" || fail "cannot be published in $folder"
rm -f -- "$temporary"
finish
