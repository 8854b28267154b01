declare module 'libpg-query/wasm/libpg-query.js' {
  import type { Library } from './grammar.ts';
  const instantiate: (options: {
    instantiateWasm(imports: WebAssembly.Imports, ready: (instance: WebAssembly.Instance) => void): void;
  }) => Promise<Library>;
  export default instantiate;
}

/** The two values that we use of a global which the types of Node know as types only. */
declare namespace WebAssembly {
  function compile(bytes: Uint8Array): Promise<Module>;
  const Instance: new (module: Module, imports: Imports) => Instance;
}
