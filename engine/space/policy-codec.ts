/**
 * Policies as bytes (PROTOCOL.md §8): a tag per node, operands in order. Depth and size are bounded while reading, before recursion.
 *
 * A policy's name is not here: it is sealed with the rest of the object's private part (rows.ts).
 */
import { type Reader, type Writer } from '../codec/canonical.js'
import { readValue, writeValue } from '../codec/value.js'
import { SealError } from '../errors.js'
import { MAX_INDEXES, MAX_POLICIES, MAX_POLICY_DEPTH, MAX_POLICY_NODES } from '../limits.js'
import { MAX_ID, MAX_INDEX_ID } from '../state/keys.js'
import { readRole, writeRole } from '../state/roster.js'
import { type Policy, type PolicyCommand, type PolicyExpression } from './types.js'

/** What verifiers keep of a policy. */
export type PublicPolicy = Omit<Policy, 'name'>

const COMMANDS: readonly PolicyCommand[] = ['insert', 'update', 'delete', 'all']
/** Position is the tag. Append only. */
const KINDS: readonly PolicyExpression['kind'][] = [
  'constant', 'column', 'creator', 'member', 'role', 'not', 'is-null', 'not-null', 'and', 'or',
  '=', '<>', '<', '<=', '>', '>=', 'is', 'is-not', 'in', 'exists',
]
/** Longest constant: what a policy compares with is short. */
const MAX_CONSTANT_LENGTH = 4_096

export function writePolicy(writer: Writer, policy: PublicPolicy): void {
  writer.u8(COMMANDS.indexOf(policy.command))
  writer.list(policy.roles, 4, writeRole)
  const budget = { nodes: 0 }
  const write = (w: Writer, expression: PolicyExpression): void => writeExpression(w, expression, budget, 0)
  writer.optional(policy.using, write).optional(policy.check, write)
}

export function readPolicy(reader: Reader): PublicPolicy {
  const command = COMMANDS[reader.u8()]
  if (command === undefined) throw reader.bad('Expected a policy command')
  const roles = reader.list(4, readRole)
  for (let i = 1; i < roles.length; i++) if (roles.indexOf(roles[i] as (typeof roles)[number]) !== i) throw reader.bad('Expected each role once')
  const budget = { nodes: 0 }
  const read = (r: Reader): PolicyExpression => readExpression(r, budget, 0)
  const using = reader.optional(read)
  const check = reader.optional(read)
  return { command, roles, ...(using && { using }), ...(check && { check }) }
}

function writeExpression(writer: Writer, e: PolicyExpression, budget: { nodes: number }, depth: number): void {
  spend(budget, depth)
  const operand = (x: PolicyExpression): void => writeExpression(writer, x, budget, depth + 1)
  writer.u8(KINDS.indexOf(e.kind))
  switch (e.kind) {
    case 'constant':
      writeValue(writer, e.value, MAX_CONSTANT_LENGTH)
      return
    case 'column':
      writer.bool(e.of === 'other').varint(e.column)
      return
    case 'creator': case 'member': case 'role':
      return
    case 'not': case 'is-null': case 'not-null':
      operand(e.value)
      return
    case 'and': case 'or': case '=': case '<>': case '<': case '<=': case '>': case '>=': case 'is': case 'is-not':
      operand(e.left)
      operand(e.right)
      return
    case 'in':
      operand(e.value)
      writer.list(e.list, MAX_POLICIES, (_, x) => operand(x))
      return
    case 'exists':
      writer.varint(e.table).optional(e.index, (w, index) => w.varint(index))
      writer.list(e.prefix, MAX_INDEXES, (_, x) => operand(x))
      writer.optional(e.where, (_, x) => operand(x))
      return
    default:
      throw new SealError('bad-argument', 'Expected a policy expression.')
  }
}

function readExpression(reader: Reader, budget: { nodes: number }, depth: number): PolicyExpression {
  spend(budget, depth)
  const operand = (): PolicyExpression => readExpression(reader, budget, depth + 1)
  const kind = KINDS[reader.u8()]
  switch (kind) {
    case 'constant': {
      const value = readValue(reader, MAX_CONSTANT_LENGTH)
      return { kind, value: value instanceof Uint8Array ? value.slice() : value }
    }
    case 'column':
      return { kind, of: reader.bool() ? 'other' : 'row', column: reader.varint(MAX_ID) }
    case 'creator': case 'member': case 'role':
      return { kind }
    case 'not': case 'is-null': case 'not-null':
      return { kind, value: operand() }
    case 'and': case 'or': case '=': case '<>': case '<': case '<=': case '>': case '>=': case 'is': case 'is-not': {
      const left = operand()
      return { kind, left, right: operand() }
    }
    case 'in': {
      const value = operand()
      return { kind, value, list: reader.list(MAX_POLICIES, operand) }
    }
    case 'exists': {
      const table = reader.varint(MAX_ID)
      const index = reader.optional((r) => r.varint(MAX_INDEX_ID))
      const prefix = reader.list(MAX_INDEXES, operand)
      const where = reader.optional(operand)
      return { kind, table, prefix, ...(index !== undefined && { index }), ...(where && { where }) }
    }
    case undefined:
      throw reader.bad('Expected a policy expression')
    default:
      throw reader.bad('Expected a policy expression')
  }
}

function spend(budget: { nodes: number }, depth: number): void {
  budget.nodes += 1
  if (depth >= MAX_POLICY_DEPTH || budget.nodes > MAX_POLICY_NODES) {
    throw new SealError('too-large', `Expected a policy of at most ${MAX_POLICY_NODES} nodes and ${MAX_POLICY_DEPTH} levels.`, { nodes: budget.nodes, depth })
  }
}
