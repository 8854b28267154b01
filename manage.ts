#!/bin/sh
//bin/true; f=$0; [ -L "$f" ] || [ ! -f "${f%/*}/lib/launch.cjs" ] && f=$(readlink -f "$f"); exec node "${f%/*}/lib/launch.cjs" "$0" "$@"
import { main } from './lib/cli/main.ts';

process.exitCode = await main(process.argv.slice(2));
