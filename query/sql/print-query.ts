/**
 * Expressions and queries back to SQL. Parsing the result gives the same tree: brackets stand where precedence asks for them, names keep
 * their quotes and literals their spelling.
 *
 * One file for both, since each contains the other.
 */
import type {
  Binary, Call, Cte, Expr, ExprList, Frame, FrameBound, From, IndexHint, Join, Limit, Name, OrderTerm, ResultColumn, Row, Select, SelectCore,
  SignedNumber, Source, Star, Subquery, TableRef, TypeName, Unary, Values, WindowSpec, With,
} from './ast.js'
import { printName } from './names.js'
import { BINARY, COLLATE, EQUALITY, ESCAPE, NOT, PRIMARY, RELATION, SIGN } from './precedence.js'

/** Words separated by spaces; what is absent is left out. */
export const words = (...parts: readonly (string | null | false)[]): string =>
  parts.filter((part) => part !== null && part !== false && part !== '').join(' ')
export const list = <T>(items: readonly T[], print: (item: T) => string): string => items.map(print).join(', ')
export const bracketed = <T>(items: readonly T[], print: (item: T) => string): string => items.length === 0 ? '' : `(${list(items, print)})`
const upper = (text: string | null): string => text === null ? '' : text.toUpperCase()

export function printExpr(e: Expr): string {
  switch (e.kind) {
    case 'literal': return e.raw
    case 'parameter': return e.name
    case 'column': return dotted(e.schema, e.table, e.name)
    case 'current-time': return `CURRENT_${upper(e.what)}`
    case 'unary': return printUnary(e)
    case 'binary': return printBinary(e)
    case 'like': {
      // Beside ESCAPE, whatever could take it for its own or be taken by it stands in brackets.
      const least = e.escape === null ? RELATION : ESCAPE + 1
      return words(operand(e.left, EQUALITY), e.not && 'NOT', upper(e.operator), operand(e.right, least),
        e.escape !== null && `ESCAPE ${operand(e.escape, least)}`)
    }
    case 'null-test': return `${operand(e.operand, EQUALITY)} ${e.not ? 'NOTNULL' : 'ISNULL'}`
    case 'between': return words(operand(e.operand, EQUALITY), e.not && 'NOT', 'BETWEEN', operand(e.low, RELATION), 'AND', operand(e.high, RELATION))
    case 'in': return words(operand(e.operand, EQUALITY), e.not && 'NOT', 'IN', printInSet(e.set))
    case 'collate': return `${operand(e.operand, COLLATE)} COLLATE ${printName(e.collation)}`
    case 'cast': return `CAST(${printExpr(e.operand)} AS ${printTypeName(e.type)})`
    case 'case': return words('CASE', e.operand !== null && printExpr(e.operand),
      ...e.whens.map(({ condition, result }) => `WHEN ${printExpr(condition)} THEN ${printExpr(result)}`),
      e.otherwise !== null && `ELSE ${printExpr(e.otherwise)}`, 'END')
    case 'call': return printCall(e)
    case 'exists': return `EXISTS (${printSelect(e.select)})`
    case 'subquery': return printInSet(e)
    case 'row': return `(${list(e.items, printExpr)})`
    case 'raise': return `RAISE(${upper(e.action)}${e.message === null ? '' : `, ${printExpr(e.message)}`})`
  }
}

export function printSelect(select: Select): string {
  const arms = select.cores.map((core, at) =>
    words(at > 0 && upper(select.operators[at - 1] ?? null), core.kind === 'core' ? printCore(core) : printValues(core)))
  return words(printWith(select.with), ...arms, printOrderBy(select.orderBy), printLimit(select.limit))
}

export const printWith = (ctes: With | null): string =>
  ctes === null ? '' : words('WITH', ctes.recursive && 'RECURSIVE', list(ctes.ctes, printCte))

const printCte = ({ name, columns, materialized, select }: Cte): string => words(
  printName(name), bracketed(columns, printName), 'AS', materialized === false && 'NOT', materialized !== null && 'MATERIALIZED',
  `(${printSelect(select)})`)

const printCore = (core: SelectCore): string => words(
  'SELECT', upper(core.quantifier), list(core.columns, printResult),
  core.from !== null && `FROM ${printFrom(core.from)}`, printWhere(core.where),
  core.groupBy.length > 0 && `GROUP BY ${list(core.groupBy, printExpr)}`,
  core.having !== null && `HAVING ${printExpr(core.having)}`,
  core.windows.length > 0 && `WINDOW ${list(core.windows, ({ name, window }) => `${printName(name)} AS ${printWindow(window)}`)}`)

const printValues = (values: Values): string => `VALUES ${list(values.rows, printRow)}`
const printRow = (row: Row): string => `(${list(row.items, printExpr)})`

export const printResult = (column: ResultColumn | Star): string => column.kind === 'star'
  ? column.table === null ? '*' : `${printName(column.table)}.*`
  : words(printExpr(column.expr), printAlias(column.alias))

export const printWhere = (where: Expr | null): string => where === null ? '' : `WHERE ${printExpr(where)}`
const printOrderBy = (terms: readonly OrderTerm[]): string => terms.length === 0 ? '' : `ORDER BY ${list(terms, printOrderTerm)}`
export const printOrderTerm = ({ expr, direction, nulls }: OrderTerm): string =>
  words(printExpr(expr), upper(direction), nulls !== null && `NULLS ${upper(nulls)}`)
function printLimit(limit: Limit | null): string {
  if (limit === null) return ''
  const { count, offset, comma } = limit
  if (offset === null) return `LIMIT ${printExpr(count)}`
  return comma ? `LIMIT ${printExpr(offset)}, ${printExpr(count)}` : `LIMIT ${printExpr(count)} OFFSET ${printExpr(offset)}`
}

export const printFrom = ({ first, joins }: From): string => printSource(first) + joins.map(printJoin).join('')

function printJoin({ natural, type, source, on, using }: Join): string {
  const joined = words(type === 'comma' ? ',' : words(natural && 'NATURAL', type !== 'inner' && upper(type), 'JOIN'), printSource(source),
    on !== null && `ON ${printExpr(on)}`, using.length > 0 && `USING ${bracketed(using, printName)}`)
  return type === 'comma' ? joined : ` ${joined}`
}

function printSource(source: Source): string {
  switch (source.kind) {
    case 'table': return printTable(source)
    case 'derived': return words(`(${printSelect(source.select)})`, printAlias(source.alias))
    case 'group': return words(`(${printFrom(source.from)})`, printAlias(source.alias))
  }
}

export const printTable = ({ schema, name, args, asOf, alias, index }: TableRef): string => words(
  dotted(schema, name) + (args === null ? '' : `(${list(args, printExpr)})`),
  asOf !== null && `AS OF ${printExpr(asOf)}`, printAlias(alias), index !== null && printIndexHint(index))

const printIndexHint = ({ name }: IndexHint): string => name === null ? 'NOT INDEXED' : `INDEXED BY ${printName(name)}`

const printWindow = ({ base, partitionBy, orderBy, frame }: WindowSpec): string => `(${words(
  base !== null && printName(base), partitionBy.length > 0 && `PARTITION BY ${list(partitionBy, printExpr)}`,
  printOrderBy(orderBy), frame !== null && printFrame(frame))})`

const printFrame = ({ unit, from, to, exclude }: Frame): string => words(
  upper(unit), to === null ? printBound(from) : `BETWEEN ${printBound(from)} AND ${printBound(to)}`, exclude !== null && `EXCLUDE ${upper(exclude)}`)

/** An offset that begins with UNBOUNDED or CURRENT would be taken for the keyword, as would one that ends the BETWEEN. */
const printBound = ({ type, offset }: FrameBound): string => offset === null ? upper(type) : `(${printExpr(offset)}) ${upper(type)}`

export const printTypeName = ({ words: names, sizes }: TypeName): string => names.map(printName).join(' ') + bracketed(sizes, printSigned)
export const printSigned = ({ sign, value }: SignedNumber): string => sign + value.raw
export const dotted = (...names: readonly (Name | null)[]): string => names.flatMap((name) => name === null ? [] : [printName(name)]).join('.')

const printAlias = (alias: Name | null): string => alias === null ? '' : `AS ${printName(alias)}`

function printInSet(set: ExprList | Subquery | TableRef): string {
  switch (set.kind) {
    case 'list': return `(${list(set.items, printExpr)})`
    case 'subquery': return `(${printSelect(set.select)})`
    case 'table': return printTable(set)
  }
}

function printUnary({ operator, operand: inner }: Unary): string {
  if (operator === 'not') return `NOT ${operand(inner, NOT)}`
  const text = operand(inner, SIGN)
  return /^[-+]/.test(text) ? `${operator} ${text}` : operator + text // "--" would begin a comment
}

/** Left spines are walked, not recursed: `a AND b AND …` may be a thousand deep. */
function printBinary(e: Binary): string {
  const tail: string[] = []
  let node: Expr = e
  for (;;) {
    const precedence = BINARY[node.operator]
    tail.push(` ${upper(node.operator)} ${operand(node.right, precedence + 1)}`)
    if (node.left.kind !== 'binary' || BINARY[node.left.operator] < precedence) return operand(node.left, precedence) + tail.reverse().join('')
    node = node.left
  }
}

function printCall({ name, quantifier, star, args, orderBy, filter, over }: Call): string {
  const inside = words(upper(quantifier), star ? '*' : list(args, printExpr), printOrderBy(orderBy))
  return words(`${printName(name)}(${inside})`, filter !== null && `FILTER (WHERE ${printExpr(filter)})`,
    over !== null && `OVER ${over.kind === 'name' ? printName(over) : printWindow(over)}`)
}

/** An operand, in brackets if it binds less tightly than `least`. */
const operand = (e: Expr, least: number): string => precedenceOf(e) < least ? `(${printExpr(e)})` : printExpr(e)

function precedenceOf(e: Expr): number {
  switch (e.kind) {
    case 'unary': return e.operator === 'not' ? NOT : SIGN
    case 'binary': return BINARY[e.operator]
    case 'like': case 'null-test': case 'between': case 'in': return EQUALITY
    case 'collate': return COLLATE
    default: return PRIMARY
  }
}
