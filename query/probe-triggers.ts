/**
 * The TEMP triggers by which rows are reported as a statement writes them (`probes.ts`), where rows are elsewhere: `sealdb_probe(table, event, after, rowid and columns of OLD, of NEW)`.
 */
import { type ObjectId } from '../engine/space/types.js'
import { type OtherTrigger } from './capture.js'
import { inTheWay, movedIn } from './capture-triggers.js'
import { type PolicyColumn } from './policies.js'
import { type RelationForm } from './relation-form.js'
import { sameName } from './sql/names.js'
import { type TableForm } from './sqlite/form.js'
import { quoteName } from './sqlite/names.js'

export const EVENTS = ['insert', 'update', 'delete'] as const
/** In place of an event: a row is told whose parents SQLite looks for. */
const REFERS = EVENTS.length

/** SQLite's functions take so many arguments: the columns twice, and what is told beside them. */
const MAX_PROBED_COLUMNS = 46

/** A table that can be reported row by row; others have to be here whole before anything is written. */
export const canBeProbed = ({ columns }: RelationForm): boolean => columns.length <= MAX_PROBED_COLUMNS

/** Triggers that report rows of a table, by name. */
export function probeTriggers(id: ObjectId, form: TableForm, relation: RelationForm | undefined): readonly OtherTrigger[] {
  if (form.allColumns.length > MAX_PROBED_COLUMNS) return []
  const row = (name: string): string[] => [form.rowid === undefined ? 'NULL' : `${name}.${form.rowid}`, ...form.allColumns.map((column) => `${name}.${quoteName(column)}`)]
  const probe = (code: number, after: number, ...values: readonly string[]): string => `SELECT sealdb_probe(${[id, code, after, ...values].join(', ')})`
  const all = EVENTS.flatMap((event, code) => [...(event === 'delete' ? ['BEFORE'] : ['BEFORE', 'AFTER'])].map((time, after) => ({
    name: `probe_${time}_${event}`.toLowerCase(),
    event: `${time} ${event.toUpperCase()}`,
    body: probe(code, after, ...(event === 'insert' ? [] : row('OLD')), ...(event === 'delete' ? [] : row('NEW'))),
  })))
  if (relation === undefined || relation.references.length === 0) return all
  // What REPLACE deletes, no trigger tells.
  const uniques = [{ terms: form.keyNames.map((sql, i) => ({ sql, column: true, collation: form.keyCollations[i] ?? 'BINARY' })), where: undefined }, ...form.uniques]
  const replaced = uniques.map((unique) => ({ sql: `${probe(REFERS, 0, ...row(quoteName(form.name)))} ${inTheWay(form, unique)}`, moved: movedIn(unique) }))
  const told = [probe(REFERS, 0, ...row('OLD')), probe(REFERS, 0, ...row('NEW'))].join('; ')
  return [
    ...all,
    { name: 'probe_replaced_insert', event: 'BEFORE INSERT', body: replaced.map(({ sql }) => sql).join('; ') },
    { name: 'probe_replaced_update', event: 'BEFORE UPDATE', body: replaced.map(({ sql, moved }) => (moved === undefined ? sql : `${sql} AND (${moved})`)).join('; ') },
    ...['BEFORE', 'AFTER'].map((time) => ({ name: `probe_${time}_refers`.toLowerCase(), event: `${time} UPDATE${checked(relation)}`, body: told })),
  ]
}

/** Columns that SQLite looks for a parent by if a SET names them, changed or not; of those that it may not name, all. */
function checked({ name, columns, key, keyIsRowid, references }: RelationForm): string {
  const from = references.flatMap((reference) => reference.from.map((each) => columns.find((column) => sameName(column.name, each))))
  const isNamed = (column: PolicyColumn | undefined): column is PolicyColumn => column?.id !== undefined && !(keyIsRowid && column.id === key[0])
  const named = from.filter(isNamed)
  // Whatever changes in a table that refers to itself may have it looked for.
  return named.length < from.length || references.some(({ parent }) => sameName(parent, name)) ? '' : ` OF ${[...new Set(named.map((column) => quoteName(column.name)))].join(', ')}`
}
