/**
 * EXPLAIN VERIFIED: for each table that a statement needs, what of it: the ranges, how many rows they hold, about how long a proof of them is, and
 * what a relay that answered them would learn. A replica asks nobody; the last column is about a client that does.
 */
import { type SqlValue } from '../engine/codec/value.js'
import { type ObjectId, type RowRange, type View } from '../engine/space/types.js'
import { isTable, type Schema, type SchemaObject } from './catalog.js'
import { type Ranges } from './plan.js'
import { ifHere } from './remote.js'
import { quoteText } from './sqlite/names.js'

export const EXPLAIN_COLUMNS = ['table', 'range', 'rows', 'proof_bytes', 'relay_learns'] as const

/** A hash of the path and the frame around a leaf: a proof of one row is about so many for each level, and the leaf. */
const HASH_LENGTH = 32
const LEAF_FRAME = 40

/** `probed`: a write, of which more turns out while it runs. */
export function explainRanges(ranges: ReadonlyMap<ObjectId, Ranges>, schema: Schema, view: View, probed = false): SqlValue[][] {
  const lines: SqlValue[][] = []
  for (const [id, found] of [...ranges].sort(([a], [b]) => a - b)) {
    const object = schema.get(id)
    if (object === undefined || !isTable(object)) continue
    // A thin client asks nobody about what it only explains.
    const total = ifHere(() => view.count(id))
    if (found === 'all') lines.push([object.name, 'all rows', integer(total), integer(total && total * LEAF_FRAME), 'that the whole table is read'])
    else if (found.length === 0 && probed) lines.push([object.name, 'rows that what is written meets', null, null, 'for each a value or token: which rows'])
    else if (found.length === 0) lines.push([object.name, 'no rows', 0n, 0n, 'nothing'])
    else for (const range of found) lines.push(line(object, range, view, total))
  }
  return lines
}

const integer = (n: number | undefined): SqlValue => (n === undefined ? null : BigInt(n))

function line(object: SchemaObject, range: RowRange, view: View, total: number | undefined): SqlValue[] {
  const count = ifHere(() => [...view.rows(object.id, range)].length)
  const levels = Math.ceil(Math.log2((total ?? 0) + 1))
  const edges = range.kind === 'key' || range.kind === 'index' ? 1 : 2
  const bytes = total === undefined || count === undefined ? undefined : edges * levels * HASH_LENGTH + count * LEAF_FRAME
  return [object.name, describe(object, range), integer(count), integer(bytes), learns(object, range)]
}

/** The values are the asker's own. */
function describe({ data }: SchemaObject, range: RowRange): string {
  const names = (ids: readonly number[]): string => ids.map((id) => data?.columns.find((column) => column.id === id)?.name ?? '?').join(', ')
  const index = 'index' in range ? data?.shape.indexes.find(({ id }) => id === range.index) : undefined
  const over = index === undefined ? 'key' : `${index.kind}${index.unique ? ' unique' : ''} index (${names(index.columns)})`
  switch (range.kind) {
    case 'all':
      return 'all rows'
    case 'key':
      return `${over} = (${range.key.map(print).join(', ')})`
    case 'index':
      return `${over} = (${range.values.map(print).join(', ')})`
    case 'key-range': case 'index-range':
      return `${over} from (${(range.lo ?? []).map(print).join(', ')}) to (${(range.hi ?? []).map(print).join(', ')})`
  }
}

function learns({ data }: SchemaObject, range: RowRange): string {
  const index = 'index' in range ? data?.shape.indexes.find(({ id }) => id === range.index) : undefined
  const blinded = index === undefined ? data?.shape.key === 'blinded' : index.kind === 'blind'
  if (range.kind === 'all') return 'that the whole table is read'
  return blinded ? 'a token: which rows, and when the same is asked again' : 'the values asked for, which are PLAINTEXT'
}

function print(value: SqlValue): string {
  if (value === null) return 'NULL'
  if (value instanceof Uint8Array) return `blob of ${value.length} bytes`
  return typeof value === 'string' ? quoteText(value) : String(value)
}
