/** What only writes over rows that are elsewhere need, as one module, loaded with a thin client's first session (`Database.open`). */
import { hasAutoincrement } from './define.js'
import { type Capture } from './capture.js'
import { parentColumns } from './lookups.js'
import { canBeProbed, probeTriggers } from './probe-triggers.js'
import { Probes, type ProbesContext } from './probes.js'
import { type Reference, type RelationForm } from './relation-form.js'
import { type Sqlite } from './sqlite.js'
import { Trials } from './trial.js'

export const probing = {
  triggers: probeTriggers,
  trials: (db: Sqlite, capture: Capture, context: ProbesContext): Trials => new Trials(db, capture, new Probes(db, context)),
  /** But for AUTOINCREMENT, whose next id only all rows tell. */
  isProbed: (table: RelationForm, sql: string): boolean => canBeProbed(table) && !hasAutoincrement(sql),
  fits: (parent: RelationForm, reference: Reference): boolean => parentColumns(parent, reference) !== undefined,
}

export type Probing = typeof probing
