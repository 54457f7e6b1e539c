/** Rows that are elsewhere (a thin client's): what a statement needs of which table, and programs that read it, so that it is here when the statement runs. */
import { isSealError, SealError } from '../engine/errors.js'
import type { RemoteRows } from '../engine/space/thin/remote.js'
import { type ObjectId, type View } from '../engine/space/types.js'
import { isTable, type Schema } from './catalog.js'
import { type Ranges } from './plan.js'

/** What a read says that asks nobody: undefined where a thin client lacks something for it. */
export function ifHere<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (!isSealError(error, 'out-of-scope')) throw error
    return undefined
  }
}

/**
 * Fetch these ranges of these tables: all at once, as far as one does not lead to another. Throws `out-of-scope` for a whole table of too many rows,
 * before any of them is asked for.
 */
export async function fetchRows(remote: RemoteRows, view: View, schema: Schema, needs: ReadonlyMap<ObjectId, Ranges>): Promise<void> {
  const stored = [...needs].filter(([id]) => view.catalog.some((object) => object.id === id && object.table !== undefined))
  await remote.reachAll(stored.flatMap(([id]) => [() => view.count(id), () => view.tableTag(id)]))
  for (const [id, ranges] of stored) {
    const count = view.count(id)
    if (ranges !== 'all' || count <= remote.maxRows) continue
    const object = schema.get(id)
    throw new SealError('out-of-scope', `This statement reads all ${count} rows of ${object && isTable(object) ? object.name : 'a table'}, and a thin client takes at most ${remote.maxRows} at a time. `
      + 'Name a key or an indexed value in WHERE (EXPLAIN VERIFIED tells what is read), raise `maxRows`, or join as a replica.', { table: id, rows: count, max: remote.maxRows })
  }
  const ranges = stored.flatMap(([id, some]) => (some === 'all' ? [{ kind: 'all' } as const] : some).map((range) => ({ id, range })))
  // First the entries of indexes, then the rows that they name.
  await remote.reachAll(ranges.map(({ id, range }) => () => view.readers(id, range)))
  await remote.reachAll(ranges.flatMap(({ id, range }) => view.readers(id, range)))
  // And what else reading them takes: while the space is re-blinded, say.
  await remote.reachAll(ranges.map(({ id, range }) => () => view.rows(id, range).next()))
}
