/**
 * Which operator binds tighter: the `%left` and `%right` lines of SQLite's `parse.y`, shared by the parser (which folds operands with
 * it) and the printer (which decides on parentheses with it).
 */
import type { BinaryOperator } from './ast.js'

export const OR = 1
export const AND = 2
export const NOT = 3
/** `=`, `!=`, IS, LIKE and kin, BETWEEN, IN, ISNULL, NOTNULL. */
export const EQUALITY = 4
export const RELATION = 5
export const ESCAPE = 6
export const COLLATE = 11
/** Unary `-`, `+`, `~`: tighter than COLLATE. */
export const SIGN = 12
/** Names, literals, calls, anything that brings its own brackets. */
export const PRIMARY = 13

export const BINARY: Readonly<Record<BinaryOperator, number>> = {
  or: OR, and: AND,
  '=': EQUALITY, '!=': EQUALITY, is: EQUALITY, 'is not': EQUALITY, 'is distinct from': EQUALITY, 'is not distinct from': EQUALITY,
  '<': RELATION, '<=': RELATION, '>': RELATION, '>=': RELATION,
  '&': 7, '|': 7, '<<': 7, '>>': 7,
  '+': 8, '-': 8,
  '*': 9, '/': 9, '%': 9,
  '||': 10, '->': 10, '->>': 10,
}
