/**
 * A policy back to SQL, from what verifiers hold: `sealdb_policies` shows what is enforced, not what somebody says he wrote. Compiling the text gives
 * the same policy. A column or table that is gone has a name that says so, and its policy can't be compiled again.
 */
import { encodeHex } from '../engine/codec/bytes.js'
import { type SqlValue } from '../engine/codec/value.js'
import { type ObjectId, type Policy, type PolicyExpression } from '../engine/space/types.js'
import { policyName, type PolicyTable } from './policies.js'
import { sameText } from './same.js'
import { type BinaryOperator, type CreatePolicy, type Expr, NO_SPAN } from './sql/ast.js'
import { makeName, sameName } from './sql/names.js'
import { printExpr, printStatement } from './sql/print.js'
import { quoteText } from './sqlite/names.js'

/** A row of `sealdb_policies`. */
export interface PolicyDescription {
  readonly name: string
  readonly table: string
  readonly command: Policy['command']
  /** Joined by ", "; empty for all. */
  readonly roles: string
  readonly using: string | null
  readonly check: string | null
  readonly sql: string
}

export function describePolicy(policy: Policy, table: PolicyTable, tableById: (id: ObjectId) => PolicyTable | undefined): PolicyDescription {
  const writer = { table, tableById }
  const using = policy.using ? write(writer, policy.using) : null
  const check = policy.check ? write(writer, policy.check) : null
  const name = policyName(policy)
  const statement: CreatePolicy = {
    kind: 'create-policy', span: NO_SPAN, name: makeName(name), table: { kind: 'qualified-name', span: NO_SPAN, schema: null, name: makeName(table.name) },
    command: policy.command, roles: policy.roles.map((role) => ({ ...makeName(role), quote: '' })), using, check,
  }
  return {
    name, table: table.name, command: policy.command, roles: policy.roles.join(', '),
    using: using && printExpr(using), check: check && printExpr(check), sql: printStatement(statement),
  }
}

interface Place {
  readonly table: PolicyTable
  readonly tableById: (id: ObjectId) => PolicyTable | undefined
  readonly other?: { readonly table: PolicyTable | undefined; readonly alias: string }
}

const BINARY: Readonly<Record<string, BinaryOperator | undefined>> = { and: 'and', or: 'or', '=': '=', '<>': '!=', '<': '<', '<=': '<=', '>': '>', '>=': '>=', is: 'is', 'is-not': 'is not' }

function write(place: Place, e: PolicyExpression): Expr {
  const inner = (x: PolicyExpression): Expr => write(place, x)
  switch (e.kind) {
    case 'constant':
      return literal(e.value)
    case 'column': {
      const of = e.of === 'row' ? place.table : place.other?.table
      const alias = e.of === 'row' ? place.table.name : (place.other?.alias ?? '?')
      return column(alias, columnName(of, e.column))
    }
    case 'creator':
      return call('row_creator', [{ kind: 'column', span: NO_SPAN, schema: null, table: null, name: makeName(place.table.name) }])
    case 'member':
      return call('current_member', [])
    case 'role':
      return call('current_role', [])
    case 'not':
      return { kind: 'unary', span: NO_SPAN, operator: 'not', operand: inner(e.value) }
    case 'is-null': case 'not-null':
      return { kind: 'null-test', span: NO_SPAN, operand: inner(e.value), not: e.kind === 'not-null' }
    case 'in':
      return { kind: 'in', span: NO_SPAN, operand: inner(e.value), not: false, set: { kind: 'list', span: NO_SPAN, items: e.list.map(inner) } }
    case 'exists':
      return writeExists(place, e)
    default:
      return { kind: 'binary', span: NO_SPAN, left: inner(e.left), operator: BINARY[e.kind] ?? '=', right: inner(e.right) }
  }
}

function writeExists(place: Place, e: Extract<PolicyExpression, { kind: 'exists' }>): Expr {
  const table = place.tableById(e.table)
  const name = table?.name ?? `dropped table ${e.table}`
  const alias = sameName(name, place.table.name) ? `other ${name}` : name
  const within: Place = { ...place, other: { table, alias } }
  const key = e.index === undefined ? table?.key : table?.shape.indexes.find(({ id }) => id === e.index)?.columns
  const equalities = e.prefix.map((value, i): Expr => ({
    kind: 'binary', span: NO_SPAN, left: column(alias, columnName(table, key?.[i])), operator: '=', right: write(place, value),
  }))
  // Of a key, the rest says it again (policies.ts); what was compiled elsewhere may lack it, or any condition.
  const repeated = e.where !== undefined && e.prefix.every((value, i) => saysEqual(e.where, key?.[i], value))
  const terms = [...(repeated ? [] : equalities), ...(e.where ? [write(within, e.where)] : [])]
  const where = terms.length === 0 ? null : terms.reduce((left, right): Expr => ({ kind: 'binary', span: NO_SPAN, left, operator: 'and', right }))
  return {
    kind: 'exists', span: NO_SPAN,
    select: {
      kind: 'select', span: NO_SPAN, with: null, operators: [], orderBy: [], limit: null,
      cores: [{
        kind: 'core', span: NO_SPAN, quantifier: null, where, groupBy: [], having: null, windows: [],
        columns: [{ kind: 'result', span: NO_SPAN, expr: literal(1n), alias: null }],
        from: {
          kind: 'from', span: NO_SPAN, joins: [],
          first: { kind: 'table', span: NO_SPAN, schema: null, name: makeName(name), args: null, asOf: null, alias: alias === name ? null : makeName(alias), index: null },
        },
      }],
    },
  }
}

/** One of the conjuncts is `other.column = value`. */
function saysEqual(e: PolicyExpression | undefined, column: number | undefined, value: PolicyExpression): boolean {
  if (e?.kind === 'and') return saysEqual(e.left, column, value) || saysEqual(e.right, column, value)
  if (e?.kind !== '=') return false
  const isColumn = (x: PolicyExpression): boolean => x.kind === 'column' && x.of === 'other' && x.column === column
  return (isColumn(e.left) && sameExpression(e.right, value)) || (isColumn(e.right) && sameExpression(e.left, value))
}

const sameExpression = (a: PolicyExpression, b: PolicyExpression): boolean => sameText(a) === sameText(b)

const column = (table: string, name: string): Expr => ({ kind: 'column', span: NO_SPAN, schema: null, table: makeName(table), name: makeName(name) })
const columnName = (table: PolicyTable | undefined, id: number | undefined): string =>
  table?.columns.find((each) => each.id === id)?.name ?? `dropped column ${id ?? '?'}`
const call = (name: string, args: readonly Expr[]): Expr =>
  ({ kind: 'call', span: NO_SPAN, name: { ...makeName(name), quote: '' }, quantifier: null, star: false, args, orderBy: [], filter: null, over: null })

function literal(value: SqlValue): Expr {
  if (value === null) return { kind: 'literal', span: NO_SPAN, type: 'null', raw: 'NULL' }
  if (typeof value === 'string') return { kind: 'literal', span: NO_SPAN, type: 'text', raw: quoteText(value) }
  if (value instanceof Uint8Array) return { kind: 'literal', span: NO_SPAN, type: 'blob', raw: `x'${encodeHex(value)}'` }
  const negative = value < 0
  const digits = typeof value === 'bigint' ? String(negative ? -value : value) : realText(Math.abs(value))
  const number: Expr = { kind: 'literal', span: NO_SPAN, type: typeof value === 'bigint' ? 'integer' : 'real', raw: digits }
  return negative ? { kind: 'unary', span: NO_SPAN, operator: '-', operand: number } : number
}

/** Infinity is a number too big; the shortest digits that JavaScript gives are exact. */
function realText(value: number): string {
  if (value === Infinity) return '9e999'
  const text = String(value)
  return /[.e]/.test(text) ? text : `${text}.0`
}
