/**
 * This floor, loaded when a space is opened: parser, compiler and what talks to SQLite come in a chunk beside SQLite's WebAssembly, which has to be fetched before
 * the first query anyway and is several times as large. All that a page needs of it before is this file.
 */
import { importFloor } from '#sql-floor'
import { later } from '../engine/later.js'
import type { Floor } from './floor-here.js'
import { findParts, type SqliteOptions } from './sqlite-parts.js'

let loaded: Promise<Floor> | undefined

/** Once per process, SQLite started; what failed may be tried again. `base`: the page's script, not a chunk of it. Throws `unavailable`, `provider-unavailable`. */
export function loadFloor(options: SqliteOptions | undefined, base: string): Promise<Floor> {
  loaded ??= load(options, base).catch((error: unknown) => {
    loaded = undefined
    throw error
  })
  return loaded
}

async function load(options: SqliteOptions | undefined, base: string): Promise<Floor> {
  const [floor, parts] = await Promise.all([later(importFloor), findParts(options, base)])
  await floor.openSqlite(options, parts)
  return floor
}
