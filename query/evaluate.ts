/**
 * Constants of a statement as values: literals, parameters, and deterministic functions of them, computed by SQLite and converted as SQLite converts an
 * operand that is compared with a column. Not constant is an answer; so is an error, which the statement itself will report.
 */
import { isSealError } from '../engine/errors.js'
import { type SqlValue } from '../engine/codec/value.js'
import { type Collation } from './keys.js'
import { literalValue } from './literal.js'
import { type Expr, type Node } from './sql/ast.js'
import { foldName } from './sql/names.js'
import { printExpr } from './sql/print-query.js'
import { transform, walk } from './sql/visit.js'
import { type Sqlite } from './sqlite.js'
import { isAffinityNormal } from './sqlite/affinity.js'
import { type Affinity } from './sqlite/form.js'

export interface Constants {
  /** Undefined: not constant, or not to be computed. */
  value(e: Expr): SqlValue | undefined
  /** As compared with a column of that affinity. */
  convert(value: SqlValue, affinity: Affinity): SqlValue
  /** The column that a parameter stands for, if it is one's value: it has its own way of being compared. */
  columnOf?(parameter: number): { readonly affinity: Affinity; readonly collation: Collation } | undefined
}

/** `values` are the statement's parameters, from ?1. Runs small SELECTs in `db`, which may have a transaction open. */
export function constants(db: Sqlite, values: readonly SqlValue[]): Constants {
  return {
    value(e) {
      if (e.kind === 'literal') return literalValue(e)
      if (e.kind === 'parameter') return values[e.number - 1]
      return isConstant(e) ? compute(db, e, values) : undefined
    },
    convert(value, affinity) {
      if (affinity === 'text' && (typeof value === 'bigint' || typeof value === 'number')) return db.get('SELECT CAST(? AS TEXT)', [value])?.[0] ?? null
      if (affinity !== 'text' && typeof value === 'string' && !isAffinityNormal(value, affinity)) return db.get('SELECT CAST(? AS NUMERIC)', [value])?.[0] ?? null
      return value
    },
  }
}

/** SQLite's own functions that depend on their arguments alone. */
const DETERMINISTIC = new Set([
  'abs', 'char', 'coalesce', 'concat', 'concat_ws', 'format', 'hex', 'ifnull', 'iif', 'instr', 'length', 'lower', 'ltrim', 'max', 'min', 'nullif', 'octet_length',
  'printf', 'quote', 'replace', 'round', 'rtrim', 'sign', 'substr', 'substring', 'trim', 'typeof', 'unhex', 'unicode', 'upper', 'zeroblob',
])
const KINDS: ReadonlySet<Node['kind']> = new Set<Node['kind']>([
  'literal', 'parameter', 'unary', 'binary', 'null-test', 'between', 'in', 'list', 'collate', 'cast', 'case', 'when', 'call', 'name', 'type-name', 'signed-number',
])

function isConstant(e: Expr): boolean {
  let constant = true
  walk(e, (node) => {
    if (!KINDS.has(node.kind)) constant = false
    else if (node.kind === 'call') {
      const plain = !node.star && node.quantifier === null && node.filter === null && node.over === null && node.orderBy.length === 0
      // One argument makes an aggregate of them.
      const aggregate = node.args.length < 2 && ['max', 'min'].includes(foldName(node.name.text))
      if (!plain || aggregate || !DETERMINISTIC.has(foldName(node.name.text))) constant = false
    }
    return constant
  })
  return constant
}

function compute(db: Sqlite, e: Expr, values: readonly SqlValue[]): SqlValue | undefined {
  let last = 0
  let missing = false
  const numbered = transform(e, (node) => {
    if (node.kind !== 'parameter') return node
    last = Math.max(last, node.number)
    missing ||= node.number > values.length
    return { ...node, name: `?${node.number}` }
  })
  if (missing) return undefined
  try {
    return db.get(`SELECT ${printExpr(numbered)}`, values.slice(0, last))?.[0]
  } catch (error) {
    if (isSealError(error, 'sql-error') || isSealError(error, 'bad-value')) return undefined
    throw error
  }
}
