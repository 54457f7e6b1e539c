/** Comparing trees, and expressions with every bracket, for the parser's tests. */
import type { Expr } from '../../query/sql/ast.js'

/** Deep equality, spans aside. */
export function sameTree(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  const left = Object.entries(a), right = Object.entries(b)
  return left.length === right.length && left.every(([field, value], at) => {
    const other = right[at]
    return other !== undefined && other[0] === field && (field === 'span' || sameTree(value, other[1]))
  })
}

/** An expression as SQL with a bracket around every operator, to see how it was read. */
export function shape(e: Expr): string {
  switch (e.kind) {
    case 'literal': return e.raw
    case 'column': return [e.schema, e.table, e.name].flatMap((name) => name === null ? [] : [name.text]).join('.')
    case 'parameter': return `${e.name}#${e.number}`
    case 'unary': return `(${e.operator} ${shape(e.operand)})`
    case 'binary': return `(${shape(e.left)} ${e.operator} ${shape(e.right)})`
    case 'like': return `(${shape(e.left)} ${e.not ? 'not ' : ''}${e.operator} ${shape(e.right)}${e.escape === null ? '' : ` escape ${shape(e.escape)}`})`
    case 'between': return `(${shape(e.operand)} ${e.not ? 'not ' : ''}between ${shape(e.low)} and ${shape(e.high)})`
    case 'null-test': return `(${shape(e.operand)} ${e.not ? 'notnull' : 'isnull'})`
    case 'collate': return `(${shape(e.operand)} collate ${e.collation.text})`
    case 'in': return `(${shape(e.operand)} ${e.not ? 'not ' : ''}in ${e.set.kind === 'list' ? `(${e.set.items.map(shape).join(', ')})` : e.set.kind})`
    case 'row': return `(${e.items.map(shape).join(', ')})`
    case 'call': return `${e.name.text}(${e.star ? '*' : e.args.map(shape).join(', ')})`
    default: return e.kind
  }
}
