/** INSERT, UPDATE and DELETE back to SQL. */
import type { Assignment, Delete, Insert, Resolution, ResultColumn, Star, Update, Upsert } from './ast.js'
import { printName } from './names.js'
import {
  bracketed, list, printExpr, printFrom, printOrderTerm, printResult, printSelect, printTable, printWhere, printWith, words,
} from './print-query.js'

export function printWrite(statement: Insert | Update | Delete): string {
  switch (statement.kind) {
    case 'insert': return words(
      printWith(statement.with), 'INSERT', or(statement.or), 'INTO', printTable(statement.target), bracketed(statement.columns, printName),
      statement.source === null ? 'DEFAULT VALUES' : printSelect(statement.source),
      ...statement.upserts.map(printUpsert), returning(statement.returning))
    case 'update': return words(
      printWith(statement.with), 'UPDATE', or(statement.or), printTable(statement.target), 'SET', list(statement.set, printAssignment),
      statement.from !== null && `FROM ${printFrom(statement.from)}`, printWhere(statement.where), returning(statement.returning))
    case 'delete': return words(
      printWith(statement.with), 'DELETE FROM', printTable(statement.target), printWhere(statement.where), returning(statement.returning))
  }
}

const printUpsert = ({ columns, columnsWhere, set, where }: Upsert): string => words(
  'ON CONFLICT', bracketed(columns, printOrderTerm), printWhere(columnsWhere), 'DO',
  set.length === 0 ? 'NOTHING' : words('UPDATE SET', list(set, printAssignment), printWhere(where)))

const printAssignment = ({ row, columns, value }: Assignment): string =>
  `${row ? bracketed(columns, printName) : columns.map(printName).join()} = ${printExpr(value)}`

const or = (resolution: Resolution | null): string => resolution === null ? '' : `OR ${resolution.toUpperCase()}`
const returning = (columns: readonly (ResultColumn | Star)[]): string => columns.length === 0 ? '' : `RETURNING ${list(columns, printResult)}`
