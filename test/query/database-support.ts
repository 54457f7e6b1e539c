/** Databases on real spaces, and what two of them hold, to be compared. */
import { expect } from 'vitest'
import { createSpace, openSpace } from '../../engine/space/open.js'
import type { Space } from '../../engine/space/space.js'
import { memoryStore } from '../../engine/store/memory.js'
import type { StoreLocation } from '../../engine/store/store.js'
import { Database } from '../../query/database.js'
import { optionsOf } from '../space/rim-support.js'

export { codeOfLater as codeOf } from '../outcomes.js'

export interface Opened { readonly db: Database; readonly space: Space; readonly location: StoreLocation; close(): Promise<void> }

export async function opened(space: Space, location: StoreLocation): Promise<Opened> {
  const db = await Database.open(space)
  return { db, space, location, close: async () => { await db.close(); await space.close() } }
}

export async function newDatabase(seed: string, script = ''): Promise<Opened> {
  const location = memoryStore()
  const database = await opened(await createSpace(await location.open(), optionsOf(seed)), location)
  await database.db.exec(script)
  return database
}

export async function reopen({ location, close }: Opened, seed: string): Promise<Opened> {
  await close()
  return opened(await openSpace(await location.open(), optionsOf(seed)), location)
}

/** Schema and rows, without ANALYZE's statistics, which are each device's own; rowids included where they are the rows' identity, in an order of their own. */
export async function contents(db: Database): Promise<unknown> {
  const schema = (await db.queryRaw("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT GLOB 'sqlite_stat*' ORDER BY type, name")).rows
  const tables: Record<string, unknown> = {}
  for (const [type, name] of schema) {
    if (type !== 'table') continue
    const rows = (await db.queryRaw(`SELECT * FROM "${String(name).replaceAll('"', '""')}"`)).rows
    tables[String(name)] = rows.map((row) => row.map((value) => (typeof value === 'bigint' ? `${value}n` : value))).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  }
  return { schema, tables }
}

/** What a database that has followed shows; one that is opened anew shows the same, or this throws. */
export async function shownAlike({ db, space }: Pick<Opened, 'db' | 'space'>): Promise<unknown> {
  const followed = await contents(db)
  const anew = await Database.open(space)
  try {
    expect(await contents(anew)).toEqual(followed)
  } finally {
    await anew.close()
  }
  return followed
}
