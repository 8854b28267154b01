import { statSync } from 'node:fs';
import Sequencer from '@jest/test-sequencer';

/** By how long their files take; a clean clone cannot know it from the run before. */
const folders = ['faults', 'runbooks', 'integration', 'cli', 'unit'];

/** Hands the longest files out first, so that no worker begins one when the others are through. */
export default class LongestFirst extends Sequencer {
  sort(tests) {
    const rank = ({ path }) => folders.findIndex((folder) => path.includes(`/tests/${folder}/`));
    const sizeBytes = ({ path }) => statSync(path).size;
    return tests.toSorted((a, b) => rank(a) - rank(b) || sizeBytes(b) - sizeBytes(a));
  }
}
