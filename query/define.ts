/** What a definition does beyond what SQLite does: which rows it looks at, and that what policies need stays. */
import { SealError } from '../engine/errors.js'
import { type Schema } from './catalog.js'
import { policyReads } from './policy-reads.js'
import { type Statement } from './sql/ast.js'
import { findAll } from './sql/visit.js'
import { parseStatement } from './sql/parse.js'

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
  if (!/autoincrement/i.test(sql)) return false // nor need its text be parsed: for each row that a thin client probes this is asked
  const statement = parseStatement(sql)
  return findAll(statement, 'primary-key-column').some(({ autoincrement }) => autoincrement) || findAll(statement, 'primary-key').some(({ autoincrement }) => autoincrement)
}
