/**
 * `CREATE POLICY` to what every verifier judges rows by (PROTOCOL.md §8): plaintext columns, the row's creator, who asks, constants, and EXISTS over
 * a plaintext key or index. Whatever a verifier could not judge, or would judge otherwise than SQLite, is refused here, with its place.
 *
 * A verifier compares by storage class and bytes. So where SQLite would convert an operand or fold its case, the policy is refused, not reinterpreted.
 */
import { encodeCanonical } from '../engine/codec/canonical.js'
import { isSealError, SealError } from '../engine/errors.js'
import { MAX_POLICIES, MAX_POLICY_DEPTH, MAX_POLICY_NODES } from '../engine/limits.js'
import { type SqlValue } from '../engine/codec/value.js'
import { writePolicy } from '../engine/space/policy-codec.js'
import { type ColumnId, type ObjectId, type Policy, type PolicyCommand, type PolicyExpression, type Role, type TableShape } from '../engine/space/types.js'
import { type Visibility } from './catalog.js'
import { type Collation } from './keys.js'
import { literalValue } from './literal.js'
import { type Call, type ColumnRef, type CreatePolicy, type Exists, type Expr, type Node } from './sql/ast.js'
import { foldName, sameName } from './sql/names.js'
import { position } from './sql/syntax-error.js'
import { isAffinityNormal } from './sqlite/affinity.js'
import { type Affinity } from './sqlite/form.js'

/** What a policy has to know of a table. */
export interface PolicyTable {
  readonly id: ObjectId
  readonly name: string
  readonly columns: readonly PolicyColumn[]
  /** Columns of the declared key, in its order; empty where the rowid is the key. */
  readonly key: readonly ColumnId[]
  readonly shape: Pick<TableShape, 'key' | 'indexes'>
}
export interface PolicyColumn {
  /** Undefined: generated, so it is nowhere stored. */
  readonly id: ColumnId | undefined
  readonly name: string
  readonly visibility: Visibility
  readonly affinity: Affinity
  readonly collation: Collation
}
export type PolicyTables = (name: string) => PolicyTable | undefined

const ROLES: readonly Role[] = ['owner', 'admin', 'writer', 'reader']
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** The policy's name, which the engine keeps sealed as bytes. */
export const policyName = ({ name }: Pick<Policy, 'name'>): string => decoder.decode(name)

/**
 * Throws `bad-policy` with facts `what`, `line`, `column`. `text` is what `statement` was parsed from.
 *
 * @example
 * compilePolicy(parseStatement(text), text, tables) // CREATE POLICY own ON note FOR UPDATE USING (row_creator(note) = current_member())
 */
export function compilePolicy(statement: CreatePolicy, text: string, tables: PolicyTables): Policy {
  const refuse = (node: Node, what: string, message: string): never => {
    const { line, column } = position(text, Math.max(node.span.start, 0))
    throw new SealError('bad-policy', `${message} (line ${line}, column ${column})`, { what, line, column })
  }
  const table = tables(statement.table.name.text) ?? refuse(statement.table, 'table', 'no such table')
  const { command, using, check } = statement
  checkClauses(statement, refuse)
  const roles = statement.roles.some(({ text: role }) => sameName(role, 'public')) ? [] : statement.roles.map((name) => {
    const role = ROLES.find((each) => sameName(each, name.text))
    return role ?? refuse(name, 'role', 'Expected owner, admin, writer, reader or public')
  })
  const compiler = new Compiler(table, tables, refuse)
  const policy: Policy = {
    name: encoder.encode(statement.name.text),
    command,
    roles: [...new Set(roles)],
    ...(using !== null && { using: compiler.condition(using) }),
    ...(check !== null && { check: compiler.condition(check) }),
  }
  try {
    // The engine's own bounds, met before anything is written.
    encodeCanonical(policy, writePolicy)
  } catch (error) {
    if (isSealError(error, 'too-large')) refuse(statement, 'size', `Expected at most ${MAX_POLICY_NODES} nodes, ${MAX_POLICY_DEPTH} levels, and short constants`)
    throw error
  }
  return policy
}

/** The table's policies with one more. Throws `bad-policy` if there is one of that name. */
export function addPolicy(policies: readonly Policy[], policy: Policy): readonly Policy[] {
  if (policies.some((each) => sameName(policyName(each), policyName(policy)))) throw new SealError('bad-policy', 'The table has a policy of that name already.', { what: 'name' })
  if (policies.length >= MAX_POLICIES) throw new SealError('bad-policy', `A table has at most ${MAX_POLICIES} policies.`, { what: 'count' })
  return [...policies, policy]
}

/** Without the one of that name; undefined if there is none. */
export function dropPolicy(policies: readonly Policy[], name: string): readonly Policy[] | undefined {
  const rest = policies.filter((each) => !sameName(policyName(each), name))
  return rest.length === policies.length ? undefined : rest
}

type Refuse = (node: Node, what: string, message: string) => never

/** As in Postgres; but a clause that grants nothing is a mistake here, not a default. */
function checkClauses(statement: CreatePolicy, refuse: Refuse): void {
  const { command, using, check } = statement
  const needs: Record<PolicyCommand, 'using' | 'check'> = { insert: 'check', update: 'using', delete: 'using', all: 'using' }
  if (command === 'insert' && using !== null) refuse(using, 'clause', 'An INSERT has no old row for USING: expected WITH CHECK')
  if (command === 'delete' && check !== null) refuse(check, 'clause', 'A DELETE has no new row for WITH CHECK: expected USING')
  if ((needs[command] === 'using' ? using : check) === null) {
    refuse(statement, 'clause', `Expected ${needs[command] === 'using' ? 'USING' : 'WITH CHECK'}: without it the policy grants nothing`)
  }
}

/** What SQLite's comparison has to know of an operand. */
type Kind = { readonly affinity: Affinity; readonly constant?: SqlValue }
interface Typed { readonly e: PolicyExpression; readonly kind: Kind }

interface Scope {
  readonly table: PolicyTable
  readonly other?: { readonly table: PolicyTable; readonly alias: string }
}

class Compiler {
  readonly #scope: Scope
  readonly #tables: PolicyTables
  readonly #refuse: Refuse

  constructor(table: PolicyTable, tables: PolicyTables, refuse: Refuse) {
    this.#scope = { table }
    this.#tables = tables
    this.#refuse = refuse
  }

  condition(e: Expr): PolicyExpression {
    return this.#compile(e, this.#scope, 0).e
  }

  #compile(e: Expr, scope: Scope, depth: number): Typed {
    if (depth >= MAX_POLICY_DEPTH) this.#refuse(e, 'size', `Expected at most ${MAX_POLICY_DEPTH} levels`)
    const down = (x: Expr): PolicyExpression => this.#compile(x, scope, depth + 1).e
    switch (e.kind) {
      case 'literal':
        return constant(literalValue(e))
      case 'column':
        return this.#column(e, scope)
      case 'unary':
        if (e.operator === 'not') return truth({ kind: 'not', value: down(e.operand) })
        if ((e.operator === '-' || e.operator === '+') && e.operand.kind === 'literal' && (e.operand.type === 'integer' || e.operand.type === 'real')) return constant(literalValue(e.operand, e.operator))
        break
      case 'null-test':
        return truth({ kind: e.not ? 'not-null' : 'is-null', value: down(e.operand) })
      case 'binary':
        return this.#binary(e, scope, depth)
      case 'between': {
        const both: PolicyExpression = {
          kind: 'and',
          left: this.#compared(e, '>=', e.operand, e.low, scope, depth + 1),
          right: this.#compared(e, '<=', e.operand, e.high, scope, depth + 1),
        }
        return truth(e.not ? { kind: 'not', value: both } : both)
      }
      case 'in': {
        if (e.set.kind !== 'list') return this.#refuse(e.set, 'subquery', 'IN takes a list here: write EXISTS (SELECT … ) instead')
        if (e.set.items.length > MAX_POLICIES) this.#refuse(e.set, 'size', `Expected at most ${MAX_POLICIES} values`)
        const value = this.#compile(e.operand, scope, depth + 1)
        const list = e.set.items.map((item) => {
          const each = this.#compile(item, scope, depth + 1)
          this.#alike(item, value, each)
          return each.e
        })
        const found: PolicyExpression = { kind: 'in', value: value.e, list }
        return truth(e.not ? { kind: 'not', value: found } : found)
      }
      case 'call':
        return this.#call(e, scope)
      case 'exists':
        return this.#exists(e, scope, depth)
      default:
    }
    return this.#refuse(e, e.kind, `A policy has no ${WORDS[e.kind] ?? e.kind}`)
  }

  #binary(e: Extract<Expr, { kind: 'binary' }>, scope: Scope, depth: number): Typed {
    const operator = COMPARISONS[e.operator]
    if (operator !== undefined) return truth(this.#compared(e, operator, e.left, e.right, scope, depth))
    if (e.operator !== 'and' && e.operator !== 'or') return this.#refuse(e, e.operator, `A policy has no operator ${e.operator}`)
    return truth({ kind: e.operator, left: this.#compile(e.left, scope, depth + 1).e, right: this.#compile(e.right, scope, depth + 1).e })
  }

  #compared(at: Expr, kind: Comparison, a: Expr, b: Expr, scope: Scope, depth: number): PolicyExpression {
    for (const side of [a, b]) {
      if ((kind === 'is' || kind === 'is-not') && this.#isTruthWord(side, scope)) this.#refuse(side, 'is-true', 'A policy has no IS TRUE or IS FALSE: write the condition itself')
    }
    const left = this.#compile(a, scope, depth + 1)
    const right = this.#compile(b, scope, depth + 1)
    this.#alike(at, left, right)
    return { kind, left: left.e, right: right.e }
  }

  /** SQLite would convert one side; a verifier doesn't. */
  #alike(at: Node, left: Typed, right: Typed): void {
    for (const [one, other] of [[left, right], [right, left]] as const) {
      const value = other.kind.constant
      if (one.kind.affinity === 'text' && (isNumeric(other.kind.affinity) || typeof value === 'number' || typeof value === 'bigint')) {
        this.#refuse(at, 'types', 'Text is compared with a number: SQLite would convert one of them, a verifier does not')
      }
      if (isNumeric(one.kind.affinity) && typeof value === 'string' && !isAffinityNormal(value, 'numeric')) {
        this.#refuse(at, 'types', 'A number is compared with text that looks like one: write it without quotes')
      }
    }
  }

  #column(e: ColumnRef, scope: Scope): Typed {
    const { table, name } = e
    const has = (of: PolicyTable): PolicyColumn | undefined => of.columns.find((column) => sameName(column.name, name.text))
    const { other } = scope
    const [inner, outer] = table === null
      ? [other && has(other.table), has(scope.table)]
      : other !== undefined && sameName(table.text, other.alias) ? [has(other.table), undefined]
      : sameName(table.text, scope.table.name) ? [undefined, has(scope.table)]
      : this.#refuse(table, 'table', 'Expected the policy’s own table, or that of the EXISTS around')
    const column = inner ?? outer
    if (column === undefined) {
      if (this.#isTruthWord(e, scope)) return constant(foldName(name.text) === 'true' ? 1n : 0n)
      return this.#refuse(name, 'column', 'no such column')
    }
    if (column.id === undefined || column.visibility !== 'plaintext') return this.#refuse(name, 'sealed-column', 'This column is not PLAINTEXT, so nobody but members could judge the policy')
    if (column.collation !== 'BINARY') this.#refuse(name, 'collation', `This column’s collation is ${column.collation}; a verifier compares bytes`)
    return { e: { kind: 'column', of: inner === undefined ? 'row' : 'other', column: column.id }, kind: { affinity: column.affinity } }
  }

  /** TRUE and FALSE are columns to SQLite's grammar until no column has that name. */
  #isTruthWord(e: Expr, { table, other }: Scope): boolean {
    if (e.kind !== 'column' || e.table !== null || e.name.quote !== '') return false
    const word = foldName(e.name.text)
    return (word === 'true' || word === 'false') && ![table, ...(other ? [other.table] : [])].some(({ columns }) => columns.some((column) => sameName(column.name, word)))
  }

  #call(e: Call, scope: Scope): Typed {
    const name = foldName(e.name.text)
    const bare = !e.star && e.quantifier === null && e.filter === null && e.over === null && e.orderBy.length === 0
    if (bare && e.args.length === 0 && name === 'current_member') return { e: { kind: 'member' }, kind: { affinity: 'integer' } }
    if (bare && e.args.length === 0 && name === 'current_role') return { e: { kind: 'role' }, kind: { affinity: 'text' } }
    if (bare && (name === 'row_author' || name === 'row_creator')) {
      const [of] = e.args
      const own = of?.kind === 'column' && of.table === null && sameName(of.name.text, scope.table.name) && !(scope.other && sameName(scope.other.alias, scope.table.name))
      if (e.args.length !== 1 || !own) this.#refuse(e, 'function', `Expected ${name}(${scope.table.name}): the creator of the row under test`)
      return { e: { kind: 'creator' }, kind: { affinity: 'integer' } }
    }
    return this.#refuse(e, 'function', 'A policy has no functions but current_member(), current_role() and row_creator(table)')
  }

  #exists(e: Exists, scope: Scope, depth: number): Typed {
    if (scope.other !== undefined) this.#refuse(e, 'exists', 'An EXISTS in a policy has no other EXISTS in it')
    const [core] = e.select.cores
    const source = core?.kind === 'core' && core.from !== null && core.from.joins.length === 0 ? core.from.first : undefined
    if (core?.kind !== 'core' || source?.kind !== 'table' || source.args !== null || source.asOf !== null || (source.schema !== null && !sameName(source.schema.text, 'main'))
      || e.select.cores.length !== 1 || e.select.with !== null || e.select.limit !== null || e.select.orderBy.length > 0 || core.groupBy.length > 0 || core.having !== null || core.windows.length > 0
      || core.columns.some((column) => column.kind === 'result' && column.expr.kind !== 'literal' && column.expr.kind !== 'column')) {
      return this.#refuse(e, 'exists', 'Expected EXISTS (SELECT … FROM one table WHERE …) and nothing more')
    }
    const table = this.#tables(source.name.text) ?? this.#refuse(source.name, 'table', 'no such table')
    const inside: Scope = { ...scope, other: { table, alias: (source.alias ?? source.name).text } }
    const terms = conjuncts(core.where).map((term) => ({ term, equality: this.#equality(term, inside, depth + 1) }))
    const paths = [
      ...(table.shape.key === 'plain' ? [{ index: undefined, columns: table.key }] : []),
      ...table.shape.indexes.filter(({ kind }) => kind === 'plain').map(({ id, columns }) => ({ index: id, columns })),
    ]
    let best: { readonly index: number | undefined; readonly used: readonly (typeof terms)[number][] } | undefined
    for (const { index, columns } of paths) {
      const used: (typeof terms)[number][] = []
      for (const id of columns) {
        const found = terms.find(({ equality }) => equality?.column === id)
        if (found === undefined) break
        used.push(found)
      }
      if (used.length > (best?.used.length ?? 0)) best = { index, used }
    }
    if (best === undefined) return this.#refuse(e, 'exists', 'Expected the WHERE of an EXISTS to fix the first column of a PLAINTEXT key or index with =')
    const { index, used } = best
    let where: PolicyExpression | undefined
    for (const each of terms) {
      // What an index holds was made from the row's columns by every verifier. Its key was made by its author, who may have put another row there.
      if (index !== undefined && used.includes(each)) continue
      const next = this.#compile(each.term, inside, depth + 1).e
      where = where === undefined ? next : { kind: 'and', left: where, right: next }
    }
    const prefix = used.map(({ equality }) => equality?.value as PolicyExpression) // those in `used` have one
    return truth({ kind: 'exists', table: table.id, ...(index !== undefined && { index }), prefix, ...(where && { where }) })
  }

  /** `other.column = something of the row under test`. */
  #equality(term: Expr, scope: Scope, depth: number): { readonly column: ColumnId; readonly value: PolicyExpression } | undefined {
    if (term.kind !== 'binary' || term.operator !== '=') return undefined
    const { e } = this.#compile(term, scope, depth)
    if (e.kind !== '=') return undefined
    for (const [one, value] of [[e.left, e.right], [e.right, e.left]] as const) {
      if (one.kind === 'column' && one.of === 'other' && !readsOther(value)) return { column: one.column, value }
    }
    return undefined
  }
}

type Comparison = '=' | '<>' | '<' | '<=' | '>' | '>=' | 'is' | 'is-not'
const COMPARISONS: Readonly<Record<string, Comparison | undefined>> = {
  '=': '=', '!=': '<>', '<': '<', '<=': '<=', '>': '>', '>=': '>=', is: 'is', 'is not': 'is-not', 'is distinct from': 'is-not', 'is not distinct from': 'is',
}
const WORDS: Readonly<Record<string, string | undefined>> = {
  parameter: 'parameters', 'current-time': 'clock', like: 'LIKE, GLOB, REGEXP or MATCH', collate: 'COLLATE', cast: 'CAST', case: 'CASE', subquery: 'subquery but EXISTS', row: 'row values', raise: 'RAISE', unary: 'arithmetic',
}

const constant = (value: SqlValue): Typed => ({ e: { kind: 'constant', value }, kind: { affinity: 'blob', constant: value } })
const truth = (e: PolicyExpression): Typed => ({ e, kind: { affinity: 'blob' } })
const isNumeric = (affinity: Affinity): boolean => affinity === 'integer' || affinity === 'real' || affinity === 'numeric'

function conjuncts(e: Expr | null): readonly Expr[] {
  if (e === null) return []
  return e.kind === 'binary' && e.operator === 'and' ? [...conjuncts(e.left), ...conjuncts(e.right)] : [e]
}

function readsOther(e: PolicyExpression): boolean {
  if (e.kind === 'column') return e.of === 'other'
  if (e.kind === 'in') return [e.value, ...e.list].some(readsOther)
  if (e.kind === 'exists' || e.kind === 'constant') return false
  return ('value' in e && readsOther(e.value)) || ('left' in e && (readsOther(e.left) || readsOther(e.right)))
}
