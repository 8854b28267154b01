#!/bin/sh
//bin/true; exec node "$(dirname "$(readlink -f "$0")")/lib/launch.mjs" "$0" "$@"
import { main } from './lib/cli/main.ts';

process.exitCode = await main(process.argv.slice(2));
