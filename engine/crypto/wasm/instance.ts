/** A module of ours, running: every kernel begins here. */

/** Its exports, which are the caller's to know; undefined where it can't run: no vectors, or a page's Content-Security-Policy without 'wasm-unsafe-eval'. Then the provider does without. */
export function exportsOf(code: Uint8Array<ArrayBuffer>): WebAssembly.Exports | undefined {
  try {
    return new WebAssembly.Instance(new WebAssembly.Module(code)).exports
  } catch {
    return undefined
  }
}
