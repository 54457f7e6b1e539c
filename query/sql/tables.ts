/**
 * Which tables a statement names, with the names of its CTEs out of the way: `WITH t AS (…) SELECT * FROM t` does not read a table t.
 *
 * As in SQLite, a CTE is visible in the statement or query that its WITH belongs to and in all bodies of that WITH, its own and earlier
 * ones included; a name with a schema, a table function and the target of a write are never CTEs. Whether a base name is a table, a
 * view or one of the `sealdb_…` relations is for the catalog to say; views are not opened here.
 */
import type { Cte, Node, Statement, TableRef } from './ast.js'
import { foldName } from './names.js'
import { walk } from './visit.js'

export type TableUse = {
  readonly table: TableRef
  /** What the statement does with it. Inside a trigger's body: what the step does. */
  readonly access: 'read' | 'insert' | 'update' | 'delete'
  /** The CTE that the name means, or null for something of the schema. */
  readonly cte: Cte | null
}

/** Every table reference, in source order, CTEs resolved. */
export function tableUses(statement: Statement): TableUse[] {
  const scopes: ReadonlyMap<string, Cte>[] = []
  const targets = new Map<TableRef, TableUse['access']>()
  const uses: TableUse[] = []
  walk(statement, (node) => {
    const ctes = ctesOf(node)
    if (ctes !== null) scopes.push(ctes)
    if (node.kind === 'insert' || node.kind === 'update' || node.kind === 'delete') targets.set(node.target, node.kind)
    if (node.kind !== 'table') return
    const access = targets.get(node)
    uses.push(access !== undefined ? { table: node, access, cte: null } : { table: node, access: 'read', cte: resolve(node, scopes) })
  }, (node) => {
    if (ctesOf(node) !== null) scopes.pop()
  })
  return uses
}

/** The uses that are not CTEs. */
export const baseTables = (statement: Statement): TableUse[] => tableUses(statement).filter(({ cte }) => cte === null)

function ctesOf(node: Node): ReadonlyMap<string, Cte> | null {
  if (!('with' in node) || node.with === null) return null
  return new Map(node.with.ctes.map((cte) => [foldName(cte.name.text), cte]))
}

function resolve({ schema, name, args }: TableRef, scopes: readonly ReadonlyMap<string, Cte>[]): Cte | null {
  if (schema !== null || args !== null) return null
  const key = foldName(name.text)
  return scopes.findLast((scope) => scope.has(key))?.get(key) ?? null
}
