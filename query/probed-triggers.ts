/**
 * What a trigger of the schema looks for, once the row is known that fires it: its steps, with OLD and NEW as parameters, so that the plan can tell their
 * ranges. A value that stands for a column is compared as that column is, which is not always as a parameter would be; the plan knows (`columnOf`).
 */
import { type SqlValue } from '../engine/codec/value.js'
import { constants, type Constants } from './evaluate.js'
import { type ValueOf } from './lookups.js'
import { type PolicyColumn } from './policies.js'
import { type RelationForm } from './relation-form.js'
import { NO_SPAN, type ColumnRef, type CreateTrigger, type Node, type Parameter, type Statement } from './sql/ast.js'
import { foldName, sameName } from './sql/names.js'
import { parseStatement } from './sql/parse.js'
import { printExpr } from './sql/print.js'
import { findAll, transform } from './sql/visit.js'
import { type Sqlite } from './sqlite.js'

export interface Fired {
  readonly event: CreateTrigger['event']
  readonly after: boolean
  /** Nothing if its WHEN is surely not true. */
  steps(db: Sqlite, old: ValueOf | undefined, fresh: ValueOf | undefined): Iterable<{ readonly statement: Statement; readonly values: Constants }>
}

/** A column of OLD or NEW; without one, the rowid. */
interface Place { readonly row: 'old' | 'new'; readonly column: PolicyColumn | undefined }

export function firedBy(trigger: CreateTrigger, relation: RelationForm): Fired {
  const places: Place[] = []
  const isPlain = (place: Place | undefined): boolean => place?.column?.collation === 'BINARY' && !(relation.keyIsRowid && place.column.id === relation.key[0])
  const told = <N extends Node>(node: N): N => transform(node, (each) => (each.kind === 'column' ? placed(each, relation, places) : each))
  const condition = trigger.when === null ? undefined : told(trigger.when)
  // Its subqueries are read, too.
  const statements = [...(condition === undefined ? [] : [asStatement(condition)]), ...trigger.steps.map(told)]
  return {
    event: trigger.event,
    after: trigger.time === 'after',
    * steps(db, old, fresh) {
      const values = places.map(({ row, column }): SqlValue => (row === 'old' ? old : fresh)?.(column) ?? null)
      const plain = constants(db, values)
      const known: Constants = {
        ...plain,
        // Within an expression a column is compared by its collation, and a rowid as an INTEGER, which a parameter would not be: then it is no constant.
        value: (e) => (e.kind === 'parameter' || findAll(e, 'parameter').every(({ number }) => isPlain(places[number - 1])) ? plain.value(e) : undefined),
        columnOf: (number) => {
          const place = places[number - 1]
          return place && { affinity: place.column?.affinity ?? 'integer', collation: place.column?.collation ?? 'BINARY' }
        },
      }
      const when = condition && known.value(condition)
      if (when === null || when === 0n || when === 0) return
      for (const statement of statements) yield { statement, values: known }
    },
  }
}

function asStatement(condition: Parameters<typeof printExpr>[0]): Statement {
  return parseStatement(`SELECT ${printExpr(condition)}`)
}

function placed(ref: ColumnRef, relation: RelationForm, places: Place[]): ColumnRef | Parameter {
  const row = ref.schema === null && ref.table !== null ? foldName(ref.table.text) : ''
  if (row !== 'old' && row !== 'new') return ref
  const column = relation.columns.find(({ name }) => sameName(name, ref.name.text))
  const isRowid = column === undefined && relation.keyIsRowid && ['rowid', '_rowid_', 'oid'].includes(foldName(ref.name.text))
  if (column === undefined && !isRowid) return ref
  const number = places.push({ row, column })
  return { kind: 'parameter', name: `?${number}`, number, span: NO_SPAN }
}
