/** The schema as the planner wants it, from the catalog and SQLite's own descriptions. */
import { type ObjectId } from '../engine/space/types.js'
import { findObject, isTable, type Schema, type SchemaObject } from './catalog.js'
import { type Mirror } from './materialise.js'
import { type PlanSchema } from './plan.js'
import type { Probing } from './probing.js'
import { relationForm, type RelationForm } from './relation-form.js'
import { sameName } from './sql/names.js'
import { parseStatement } from './sql/parse.js'

/**
 * `draws`: what INSERT leaves out of an INTEGER PRIMARY KEY is drawn by somebody who sees to it himself that it is free. `probing`: rows are looked at as
 * they are written.
 */
export function planSchemaOf(mirror: Mirror, schema: Schema, { draws = () => false, probing }: { readonly draws?: (table: ObjectId) => boolean; readonly probing?: Probing | undefined } = {}): PlanSchema {
  const relation = (object: SchemaObject): RelationForm | undefined => (isTable(object) ? relationForm(object, mirror.binding(object).form) : undefined)
  return {
    draws: ({ id }) => draws(id),
    ...(probing && {
      probes: (table: RelationForm) => probing.isProbed(table, schema.get(table.id)?.sql ?? ''),
      fits: probing.fits,
    }),
    find(name) {
      const table = findObject(schema, 'table', name)
      if (table !== undefined) return relation(table)
      const view = findObject(schema, 'view', name)
      const statement = view && parseStatement(view.sql)
      return statement?.kind === 'create-view' ? { select: statement.select } : undefined
    },
    * tables() {
      for (const object of schema.values()) {
        const found = relation(object)
        if (found !== undefined) yield found
      }
    },
    * triggers(name) {
      for (const object of schema.values()) {
        if (object.type !== 'trigger' || !sameName(object.table, name)) continue
        const statement = parseStatement(object.sql)
        if (statement.kind === 'create-trigger') yield statement
      }
    },
  }
}
