/**
 * Row policies (PROTOCOL.md §8): who may write which row. Postgres' permissive row security, decided by everyone from plaintext alone.
 *
 * Evaluation is three-valued and total: whatever is missing, of another kind or too much work is unknown, and unknown denies.
 * Owners and admins are bound by policies too; who may change a policy is another question (ops/catalog.ts).
 */
import { encodeTuplePrefix } from '../codec/tuple.js'
import { type SqlValue } from '../codec/value.js'
import { isSealError } from '../errors.js'
import { MAX_EXISTS_ROWS, MAX_POLICY_STEPS } from '../limits.js'
import { type StateEntry } from '../state/context.js'
import { indexPrefix, prefixEnd, rowPrefix, rowStateKey } from '../state/keys.js'
import { type MemberRole } from '../state/roster.js'
import { compareValues } from './compare.js'
import { type PublicPolicy } from './policy-codec.js'
import { decodeRow } from './row-record.js'
import { type PolicyExpression, type TableShape } from './types.js'

export type RowCommand = 'insert' | 'update' | 'delete'

/** The public part of a table's shape: what policies are judged by. */
export type PublicShape = Omit<TableShape, 'policies'> & { readonly policies: readonly PublicPolicy[] }

/** A row under test: plaintext columns in the shape's order; a row older than a column has it as NULL. */
export interface PolicyRow {
  readonly plain: readonly SqlValue[]
  readonly creator: number
}

/** Who asks, and where lookups go. */
export interface PolicyWorld {
  readonly member: number
  readonly role: MemberRole
  table(id: number): PublicShape | undefined
  get(key: Uint8Array): Uint8Array | undefined
  scan(lo: Uint8Array, hi?: Uint8Array): Iterable<StateEntry>
  /** Work done so far for this entry, in nodes: beyond MAX_POLICY_STEPS everything is unknown. */
  steps: number
}

/** true, false, or undefined: unknown. */
export type Ternary = boolean | undefined

export interface PolicyOutcome {
  /** Position of the policy in the table's list. */
  readonly policy: number
  readonly clause: 'using' | 'check'
  readonly result: Ternary
}

/**
 * May `world.member` do `command`? An insert has no `before`, a delete no `after`. `false` says which clause refused.
 * A command that no policy of the table names is open; one that some policy names needs one that grants it.
 */
export function allows(world: PolicyWorld, shape: PublicShape, command: RowCommand, before?: PolicyRow, after?: PolicyRow): 'allowed' | 'using' | 'check' {
  let restricted = false
  let using = before === undefined
  let check = after === undefined
  for (const policy of shape.policies) {
    if (policy.command !== command && policy.command !== 'all') continue
    restricted = true
    if (policy.roles.length > 0 && !policy.roles.includes(world.role)) continue
    if (!using && before !== undefined) using = holds(world, shape, policy.using, before) === true
    if (!check && after !== undefined) check = holds(world, shape, policy.check ?? policy.using, after) === true
  }
  if (!restricted || (using && check)) return 'allowed'
  return using ? 'check' : 'using'
}

/** Every clause that was consulted, and what it said: for error messages and `EXPLAIN`. */
export function explainPolicy(world: PolicyWorld, shape: PublicShape, command: RowCommand, before?: PolicyRow, after?: PolicyRow): PolicyOutcome[] {
  const outcomes: PolicyOutcome[] = []
  for (const [index, policy] of shape.policies.entries()) {
    if (policy.command !== command && policy.command !== 'all') continue
    if (policy.roles.length > 0 && !policy.roles.includes(world.role)) continue
    if (before) outcomes.push({ policy: index, clause: 'using', result: holds(world, shape, policy.using, before) })
    if (after) outcomes.push({ policy: index, clause: 'check', result: holds(world, shape, policy.check ?? policy.using, after) })
  }
  return outcomes
}

/** An absent clause grants nothing, as in Postgres. */
function holds(world: PolicyWorld, shape: PublicShape, expression: PolicyExpression | undefined, row: PolicyRow): Ternary {
  if (expression === undefined) return false
  const result = truth(evaluate({ world, shape, row }, expression))
  return world.steps > MAX_POLICY_STEPS ? undefined : result
}

/** CONSENSUS. What counts as one node: code units or bytes of long values compared, and bytes of a row that EXISTS reads. */
const UNITS_PER_STEP = 64
const BYTES_PER_STEP = 8

interface Scope {
  readonly world: PolicyWorld
  readonly shape: PublicShape
  readonly row: PolicyRow
  /** Inside EXISTS: the row that was looked up. */
  readonly other?: { readonly shape: PublicShape; readonly row: PolicyRow }
}

/** Numbers are true unless zero, as in SQL. Text and blobs have no truth here. */
function truth(value: SqlValue): Ternary {
  if (typeof value === 'bigint') return value !== 0n
  if (typeof value === 'number') return value !== 0
  return undefined
}

function fromTruth(value: Ternary): SqlValue {
  return value === undefined ? null : value ? 1n : 0n
}

function evaluate(scope: Scope, e: PolicyExpression): SqlValue {
  if (++scope.world.steps > MAX_POLICY_STEPS) return null
  switch (e.kind) {
    case 'constant':
      return e.value
    case 'column':
      return e.of === 'row' ? column(scope.shape, scope.row, e.column) : scope.other ? column(scope.other.shape, scope.other.row, e.column) : null
    case 'creator':
      return BigInt(scope.row.creator)
    case 'member':
      return BigInt(scope.world.member)
    case 'role':
      return scope.world.role
    case 'not': {
      const value = truth(evaluate(scope, e.value))
      return fromTruth(value === undefined ? undefined : !value)
    }
    case 'is-null':
      return fromTruth(evaluate(scope, e.value) === null)
    case 'not-null':
      return fromTruth(evaluate(scope, e.value) !== null)
    case 'and': {
      const left = truth(evaluate(scope, e.left))
      if (left === false) return 0n
      const right = truth(evaluate(scope, e.right))
      return right === false ? 0n : fromTruth(left === undefined || right === undefined ? undefined : true)
    }
    case 'or': {
      const left = truth(evaluate(scope, e.left))
      if (left === true) return 1n
      const right = truth(evaluate(scope, e.right))
      return right === true ? 1n : fromTruth(left === undefined || right === undefined ? undefined : false)
    }
    case '=': case '<>': case '<': case '<=': case '>': case '>=':
      return fromTruth(compared(scope.world, e.kind, evaluate(scope, e.left), evaluate(scope, e.right)))
    case 'is':
      return fromTruth(order(scope.world, evaluate(scope, e.left), evaluate(scope, e.right)) === 0)
    case 'is-not':
      return fromTruth(order(scope.world, evaluate(scope, e.left), evaluate(scope, e.right)) !== 0)
    case 'in': {
      const value = evaluate(scope, e.value)
      // `x IN ()` is false even for NULL.
      let result: Ternary = false
      for (const item of e.list) {
        const equal = compared(scope.world, '=', value, evaluate(scope, item))
        if (equal === true) return 1n
        if (equal === undefined) result = undefined
      }
      return fromTruth(result)
    }
    case 'exists':
      return fromTruth(exists(scope, e))
    default:
      return null
  }
}

function compared(world: PolicyWorld, operator: '=' | '<>' | '<' | '<=' | '>' | '>=', left: SqlValue, right: SqlValue): Ternary {
  if (left === null || right === null) return undefined
  const found = order(world, left, right)
  switch (operator) {
    case '=': return found === 0
    case '<>': return found !== 0
    case '<': return found < 0
    case '<=': return found <= 0
    case '>': return found > 0
    case '>=': return found >= 0
    default: return undefined
  }
}

/** Long values count by what it may take to compare them: a policy of 500 nodes over two columns of megabytes would otherwise be seconds of work. */
function order(world: PolicyWorld, left: SqlValue, right: SqlValue): number {
  world.steps += Math.floor(Math.min(lengthOf(left), lengthOf(right)) / UNITS_PER_STEP)
  return compareValues(left, right)
}

/** Code units of text, bytes of a blob. */
function lengthOf(value: SqlValue): number {
  return typeof value === 'string' || value instanceof Uint8Array ? value.length : 0
}

/** Ids ascend (`checkObject`). */
function column(shape: PublicShape, row: PolicyRow, id: number): SqlValue {
  const { plain } = shape
  let [low, high] = [0, plain.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((plain[middle]?.id ?? 0) < id) low = middle + 1
    else high = middle
  }
  return plain[low]?.id === id ? (row.plain[low] ?? null) : null
}

/**
 * False only if the whole range was looked at. A NULL in the prefix matches nothing (false), as `=` would; a missing table or index, a
 * blinded one, and more than MAX_EXISTS_ROWS rows are unknown.
 */
function exists(scope: Scope, e: Extract<PolicyExpression, { kind: 'exists' }>): Ternary {
  const { world } = scope
  const shape = world.table(e.table)
  if (shape === undefined || scope.other !== undefined) return undefined
  const index = e.index === undefined ? undefined : shape.indexes.find((i) => i.id === e.index)
  if (e.index === undefined ? shape.key !== 'plain' : index?.kind !== 'plain') return undefined
  const values = e.prefix.map((x) => evaluate(scope, x))
  if (values.some((v) => v === null)) return false
  for (const value of values) world.steps += Math.floor(lengthOf(value) / UNITS_PER_STEP)
  let prefix: Uint8Array
  try {
    prefix = encodeTuplePrefix(values, index ? indexPrefix(e.table, index.id) : rowPrefix(e.table))
  } catch (error) {
    // No key is that long, so no row has it.
    if (isSealError(error, 'key-too-long')) return false
    throw error
  }
  let seen = 0
  let result: Ternary = false
  for (const entry of world.scan(prefix, prefixEnd(prefix))) {
    if (++seen > MAX_EXISTS_ROWS) return undefined
    const bytes = index ? world.get(rowStateKey(e.table, entry.value)) : entry.value
    if (bytes === undefined) return undefined
    if (e.where === undefined) return true
    const row = decodeRow(bytes)
    world.steps += Math.floor((bytes.length - row.sealed.length) / BYTES_PER_STEP)
    if (world.steps > MAX_POLICY_STEPS) return undefined
    const found = truth(evaluate({ ...scope, other: { shape, row } }, e.where))
    if (found === true) return true
    if (found === undefined) result = undefined
  }
  return result
}
