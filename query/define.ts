/** What a definition does to the schema of an open transaction, beyond what SQLite does: policies, and what they need to stay. */
import { SealError } from '../engine/errors.js'
import { type Policy } from '../engine/space/types.js'
import { findTable, noSuchTable, type Schema } from './catalog.js'
import { type Mirror } from './materialise.js'
import { addPolicy, compilePolicy, dropPolicy, policyReads, type PolicyTables } from './policies.js'
import { relationForm } from './relation-form.js'
import { type Statement } from './sql/ast.js'
import { findAll } from './sql/visit.js'
import { parseStatement } from './sql/parse.js'

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

/** What a policy reads has to stay: verifiers would deny for want of it. What it lacked before (a member's client may compile what it likes) is nobody's to mend. */
export function checkPolicies(schema: Schema, before: Schema): void {
  for (const { id, data } of schema.values()) {
    for (const policy of data?.shape.policies ?? []) {
      const isNew = before.get(id)?.data?.shape.policies.includes(policy) !== true
      for (const read of policyReads(policy, id)) {
        if (!isThere(schema, read) && (isNew || isThere(before, read))) throw new SealError('bad-policy', 'A policy reads what this would drop: drop the policy first.', { what: 'dropped', table: id })
      }
    }
  }
}

function isThere(schema: Schema, read: ReturnType<typeof policyReads>[number]): boolean {
  const other = schema.get(read.table)?.data
  return other !== undefined
    && (read.column === undefined || other.columns.some((column) => column.id === read.column))
    && (read.index === undefined || other.shape.indexes.some((index) => index.id === read.index))
}

/**
 * Of which table a definition may look at rows that are there: those of one that somebody has made slow to load must not stand in everybody's way. No expression
 * of a definition reads another table's; but a DROP cascades where foreign keys are on, and a SELECT reads what it likes.
 */
export function rowsLookedAt(ast: Statement, foreignKeys: boolean): string | 'all' | undefined {
  switch (ast.kind) {
    case 'create-view': case 'create-trigger': case 'create-policy': case 'drop-policy':
      return undefined
    case 'create-table':
      return ast.as === null ? undefined : 'all'
    case 'create-index':
      return ast.table.text
    case 'alter-table':
      return ast.name.name.text
    case 'drop':
      return foreignKeys && ast.object === 'table' ? 'all' : undefined
    default:
      return 'all'
  }
}

export function hasAutoincrement(sql: string): boolean {
  const statement = parseStatement(sql)
  return findAll(statement, 'primary-key-column').some(({ autoincrement }) => autoincrement) || findAll(statement, 'primary-key').some(({ autoincrement }) => autoincrement)
}
