/**
 * The parts that SQLite is started from, the one door for sql.js: its WebAssembly, and the glue that comes along with it. Apart from what starts it (sqlite.ts), so that
 * a page fetches them while it loads that.
 */
import { isSealError, SealError } from '../engine/errors.js'
import { later } from '../engine/later.js'
import type { SqlJsFactory } from './sqlite/wasm.js'

export interface SqliteOptions {
  /** The bytes of `sql-wasm.wasm` of sql.js 1.16. Default: read beside the package in Node, fetched in a browser. */
  readonly wasmBinary?: BufferSource
  /** Where a browser finds `sql-wasm.wasm`. Default: beside the bundle. */
  readonly locateFile?: (name: string) => string
  /** Another copy of sql.js, if the application started the package's own before. */
  readonly initSqlJs?: SqlJsFactory
}

export interface SqliteParts {
  readonly init: SqlJsFactory
  readonly binary: BufferSource
}

/** Both at once; `base`: beside what a browser finds the WebAssembly. Throws `unavailable` if they can't be fetched now, `provider-unavailable` if they are not there. */
export async function findParts(options: SqliteOptions = {}, base: string = import.meta.url): Promise<SqliteParts> {
  const [init, binary] = await Promise.all([options.initSqlJs ?? later(() => import('sql.js').then((module) => module.default)), options.wasmBinary ?? findBinary(options, base)])
  return { init, binary }
}

async function findBinary(options: SqliteOptions, base: string): Promise<BufferSource> {
  const name = 'sql-wasm.wasm'
  try {
    if (options.locateFile === undefined && typeof process === 'object' && typeof process.getBuiltinModule === 'function') {
      // Not imports: bundlers for browsers would have to be told about them.
      const { createRequire } = process.getBuiltinModule('node:module')
      const { readFile } = process.getBuiltinModule('node:fs/promises')
      return await readFile(createRequire(import.meta.url).resolve(`sql.js/dist/${name}`))
    }
    const place = options.locateFile?.(name) ?? new URL(name, base)
    const response = await later(() => fetch(place))
    if (!response.ok) throw new SealError('provider-unavailable', `Fetching ${name} failed.`, { status: response.status })
    return await later(() => response.arrayBuffer())
  } catch (cause) {
    if (isSealError(cause)) throw cause
    throw new SealError('provider-unavailable', `SQLite could not be loaded: expected ${name} of sql.js 1.16. Where it lies the option locateFile says.`, {}, { cause })
  }
}
