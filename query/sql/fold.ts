/**
 * Operator precedence: operands and operators go in from left to right, a tree comes out (shunting-yard).
 *
 * The grammar's expression rule is flat, `operand (operator operand)*`, which keeps the parser's own stack shallow and fast. The
 * decisions here are those of SQLite's LALR tables: a prefix operator never pops, `BETWEEN x` is an open bracket until its AND, and
 * ESCAPE belongs to the nearest LIKE that has none. One `Fold` serves a whole parse; nested expressions work above its `base`.
 */
import type { BinaryOperator, Expr, Like, UnaryOperator } from './ast.js'
import { BINARY, EQUALITY, NOT, SIGN } from './precedence.js'

type Pending =
  | { readonly type: 'prefix'; readonly operator: UnaryOperator; readonly precedence: number; readonly start: number }
  | { readonly type: 'binary'; readonly operator: BinaryOperator; readonly precedence: number }
  | { readonly type: 'like'; readonly operator: Like['operator']; readonly not: boolean; escaped: boolean; readonly precedence: number }
  | { readonly type: 'between'; readonly not: boolean; closed: boolean; readonly precedence: number }

/** An operand with the extent of its text, own parentheses included, and the height of its tree. */
export type Operand = { readonly expr: Expr; readonly start: number; readonly end: number; readonly height: number }

export class Fold {
  private operands: Operand[] = []
  private pending: Pending[] = []

  private base = 0

  /** Begin a nested expression; give what this returns to its `close`. */
  open(): number {
    const outer = this.base
    this.base = this.pending.length
    return outer
  }

  reset(): void {
    this.base = 0
    this.operands = []
    this.pending = []
  }

  operand(expr: Expr, start: number, end: number, height: number): void {
    this.operands.push({ expr, start, end, height })
  }

  prefix(operator: UnaryOperator, start: number): void {
    this.pending.push({ type: 'prefix', operator, precedence: operator === 'not' ? NOT : SIGN, start })
  }

  binary(operator: BinaryOperator): void {
    const precedence = BINARY[operator]
    this.settle(precedence)
    const top = this.top()
    if (operator === 'and' && top?.type === 'between' && !top.closed) top.closed = true
    else this.pending.push({ type: 'binary', operator, precedence })
  }

  like(operator: Like['operator'], not: boolean): void {
    this.settle(EQUALITY)
    this.pending.push({ type: 'like', operator, not, escaped: false, precedence: EQUALITY })
  }

  /** False if no LIKE is waiting: then ESCAPE is a syntax error. */
  escape(): boolean {
    for (let top = this.top(); top !== undefined; top = this.top()) {
      if (top.type === 'like' && !top.escaped) {
        top.escaped = true
        return true
      }
      if (isOpen(top)) return false
      this.reduce()
    }
    return false
  }

  between(not: boolean): void {
    this.settle(EQUALITY)
    this.pending.push({ type: 'between', not, closed: false, precedence: EQUALITY })
  }

  /** Replace the operand on the left of a postfix operator. `height` is what the operator's own parts add. */
  postfix(precedence: number, end: number, height: number, make: (operand: Expr, start: number) => Expr): void {
    this.settle(precedence)
    const { expr, start, height: inner } = this.pop()
    this.operand(make(expr, start), start, end, Math.max(inner, height) + 1)
  }

  /** The tree, or null if a BETWEEN still waits for its AND. */
  close(outer: number): Operand | null {
    while (this.pending.length > this.base) {
      const top = this.top()
      if (top !== undefined && isOpen(top)) return null
      this.reduce()
    }
    this.base = outer
    return this.pop()
  }

  private settle(precedence: number): void {
    for (let top = this.top(); top !== undefined && !isOpen(top) && top.precedence >= precedence; top = this.top()) this.reduce()
  }

  private top(): Pending | undefined {
    return this.pending.length > this.base ? this.pending[this.pending.length - 1] : undefined
  }

  private pop(): Operand {
    return this.operands.pop() as Operand // the grammar pushes an operand before anything that pops it
  }

  private reduce(): void {
    const operator = this.pending.pop() as Pending
    const last = this.pop()
    if (operator.type === 'prefix') {
      const span = { start: operator.start, end: last.end }
      this.operand({ kind: 'unary', operator: operator.operator, operand: last.expr, span }, span.start, span.end, last.height + 1)
      return
    }
    const before = this.pop()
    if (operator.type === 'binary') {
      const span = { start: before.start, end: last.end }
      const expr: Expr = { kind: 'binary', left: before.expr, operator: operator.operator, right: last.expr, span }
      this.operand(expr, span.start, span.end, Math.max(before.height, last.height) + 1)
      return
    }
    const ternary = operator.type === 'between' || operator.escaped
    const first = ternary ? this.pop() : before
    const span = { start: first.start, end: last.end }
    const height = Math.max(first.height, before.height, last.height) + 1
    if (operator.type === 'between') {
      const expr: Expr = { kind: 'between', operand: first.expr, not: operator.not, low: before.expr, high: last.expr, span }
      this.operand(expr, span.start, span.end, height)
    } else {
      const right = ternary ? before.expr : last.expr, escape = ternary ? last.expr : null
      const expr: Expr = { kind: 'like', left: first.expr, not: operator.not, operator: operator.operator, right, escape, span }
      this.operand(expr, span.start, span.end, height)
    }
  }
}

const isOpen = (operator: Pending): boolean => operator.type === 'between' && !operator.closed

