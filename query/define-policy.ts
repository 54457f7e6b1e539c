/** What CREATE POLICY and DROP POLICY do to the schema of an open transaction. */
import { SealError } from '../engine/errors.js'
import { type Policy } from '../engine/space/types.js'
import { findTable, noSuchTable, type Schema } from './catalog.js'
import { type Mirror } from './materialise.js'
import { addPolicy, compilePolicy, dropPolicy, type PolicyTables } from './policies.js'
import { relationForm } from './relation-form.js'
import { type Statement } from './sql/ast.js'

/** The schema after CREATE POLICY or DROP POLICY; the same if there is nothing to drop. Throws `bad-policy`, `sql-error`. */
export function schemaAfterPolicy(mirror: Mirror, schema: Schema, ast: Statement, text: string): Schema {
  if (ast.kind !== 'create-policy' && ast.kind !== 'drop-policy') return schema
  const target = findTable(schema, ast.table.name.text)
  if (target === undefined) throw noSuchTable(ast.table.name.text)
  const { policies } = target.data.shape
  let changed: readonly Policy[] | undefined
  if (ast.kind === 'create-policy') {
    const tables: PolicyTables = (name) => {
      const table = findTable(schema, name)
      return table && relationForm(table, mirror.binding(table).form)
    }
    changed = addPolicy(policies, compilePolicy(ast, text, tables))
  } else {
    changed = dropPolicy(policies, ast.name.text)
    if (changed === undefined && !ast.ifExists) throw new SealError('bad-policy', 'The table has no policy of that name.', { what: 'name' })
  }
  if (changed === undefined) return schema
  const shape = { ...target.data.shape, policies: changed }
  return new Map([...schema, [target.id, { ...target, data: { ...target.data, shape } }]])
}
