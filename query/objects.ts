/**
 * Everything in the catalog, and what to do about what no SQL can name: objects that are not what they say, or that SQLite refuses, are left out of the schema
 * (catalog-flaws.ts), and yet hold their names; a migration's note has no name in SQL at all. An admin drops them by number.
 */
import { SealError } from '../engine/errors.js'
import { type SqlValue } from '../engine/codec/value.js'
import { type Draft, type ObjectId, type View } from '../engine/space/types.js'
import { type BrokenObject, type Schema } from './catalog.js'
import { readMigrations } from './migrations.js'

/** Rows of `sealdb_objects`: id, kind, name, table, creator, device, entry, reason. */
export function objectRows(view: View, schema: Schema, broken: readonly BrokenObject[]): SqlValue[][] {
  const kinds = new Map(view.catalog.map(({ id, kind }) => [id, kind]))
  const reasons = new Map(broken.map(({ id, reason }) => [id, reason]))
  const migrations = new Map(readMigrations(view).map(({ id, version }) => [id, `migration ${version}`]))
  return view.objects().map(({ id, creator, device, version, reason }) => {
    const object = schema.get(id)
    const kind = migrations.has(id) ? 'migration' : kinds.get(id) ?? null
    return [BigInt(id), kind, object?.name ?? migrations.get(id) ?? null, object?.table ?? null, BigInt(creator), BigInt(device), BigInt(version), reason ?? reasons.get(id) ?? null]
  })
}

/** Throws `bad-argument` for a number that nothing has, and for what SQL can drop. */
export function dropOf(id: ObjectId, view: View, schema: Schema): Draft {
  const object = schema.get(id)
  if (object !== undefined) throw new SealError('bad-argument', `Object ${id} is a ${object.type} that SQL can name: DROP ${object.type.toUpperCase()} drops it.`, { id, type: object.type })
  if (!view.objects().some((each) => each.id === id)) throw new SealError('bad-argument', `There is no object ${id} in the catalog: SELECT * FROM sealdb_objects lists them.`, { id })
  return { catalog: [{ kind: 'drop', id }], rows: [], reads: [] }
}
