// Jest reads TypeScript through esbuild, the compiler that manage.ts itself is launched with.
import { transformSync } from 'esbuild';

export default {
  process(source, file) {
    const { code, map } = transformSync(source, {
      loader: 'ts',
      format: 'esm',
      target: 'node20.19',
      sourcefile: file,
      sourcemap: 'inline',
    });
    return { code, map };
  },
};
