/** Tables as policies and plans see them, out of DDL with our words, by the same code that the product uses. */
import { type Schema, isTable } from '../../query/catalog.js'
import { schemaAfter, withoutOurWords } from '../../query/ddl.js'
import { relationForm, type RelationForm } from '../../query/relation-form.js'
import { sameName } from '../../query/sql/names.js'
import { parseStatement, splitStatements } from '../../query/sql/parse.js'
import { type Sqlite } from '../../query/sqlite.js'
import { describeTable } from '../../query/sqlite/form.js'

export { Random } from './random-sql.js'

export interface BuiltSchema {
  readonly schema: Schema
  readonly relations: readonly RelationForm[]
  relation(name: string): RelationForm | undefined
}

/** Runs the script in `db`. */
export function buildSchema(db: Sqlite, script: string): BuiltSchema {
  let schema: Schema = new Map()
  let next = 1
  for (const { text } of splitStatements(script)) {
    const statement = parseStatement(text)
    db.exec(withoutOurWords(text, statement))
    schema = schemaAfter(db, schema, statement, () => next++)
  }
  const relations = [...schema.values()].filter(isTable).map((object) => relationForm(object, describeTable(db, object.name)))
  return { schema, relations, relation: (name) => relations.find((each) => sameName(each.name, name)) }
}
