/**
 * What a definition must not be, whoever made it: its text runs in everybody's SQLite, so it is one CREATE of the kind, name and table that it says, takes no name
 * of ours, and holds no CHECK that two devices could judge differently. Authors are refused it, and readers leave it out.
 */
import { type SchemaObject } from './catalog.js'
import { type Node, type Statement } from './sql/ast.js'
import { foldName } from './sql/names.js'
import { parseStatement } from './sql/parse.js'
import { findAll } from './sql/visit.js'

/** SQLite's own table of AUTOINCREMENT's counters, shared like any other. */
export const SEQUENCE = 'sqlite_sequence'
const SEQUENCE_TEXT = 'CREATE TABLE sqlite_sequence(name,seq)'

/** A space's documents, in a table that is as we make it or is none: applications don't look at it before they write. */
export const DOCUMENTS = 'sealdb_documents'
export const DOCUMENTS_TEXT = `CREATE TABLE ${DOCUMENTS} (part BLOB NOT NULL PRIMARY KEY, document TEXT NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL) WITHOUT ROWID`
const DOCUMENTS_VISIBILITY = 'sealed blind sealed sealed'
export const CREATE_DOCUMENTS = DOCUMENTS_TEXT.replace('CREATE TABLE', 'CREATE TABLE IF NOT EXISTS').replace('document TEXT NOT NULL', 'document TEXT NOT NULL BLIND')

/**
 * `sealdb_members` and the like are looked for in SQLite's main schema first, and so are `pragma_table_xinfo` and the like, by which tables are read: an object of such
 * a name would answer in their place.
 */
const RESERVED = ['sqlite_', 'sealdb_', 'pragma_'] as const

/** SQLite refuses these in indexes and generated columns, but takes them in a CHECK; `current_…` are ours. Dates fail by themselves when they mean now. */
const VARYING: ReadonlySet<string> = new Set([
  'random', 'randomblob', 'changes', 'total_changes', 'last_insert_rowid', 'current_date', 'current_time', 'current_timestamp', 'current_member', 'current_role',
  'sqlite_version', 'sqlite_source_id', 'sqlite_compileoption_get', 'sqlite_compileoption_used', 'sqlite_log',
])

/** Undefined if there is none: `name` reserved · `text` not one such statement · `check` one whose answer varies. Throws what `parseStatement` does. */
export function flawOf({ type, name, table, sql, data }: Pick<SchemaObject, 'type' | 'name' | 'table' | 'sql' | 'data'>): 'name' | 'text' | 'check' | undefined {
  if (name === SEQUENCE) return type === 'table' && sql === SEQUENCE_TEXT ? undefined : 'name'
  if (name === DOCUMENTS) return type === 'table' && sql === DOCUMENTS_TEXT && data?.columns.map(({ visibility }) => visibility).join(' ') === DOCUMENTS_VISIBILITY ? undefined : 'name'
  const folded = foldName(name)
  // A trigger would run with the rights of all who write documents, who never see its table.
  if (isReserved(folded) || ((type === 'trigger' || type === 'index') && foldName(table) === DOCUMENTS)) return 'name'
  // SQLite's text ends at a NUL.
  if (sql.includes('\0')) return 'text'
  const statement = parseStatement(sql)
  if (!isPlainCreate(statement) || statement.kind !== `create-${type}` || foldName(statement.name.name.text) !== folded) return 'text'
  if (foldName(tableOf(statement)) !== foldName(table)) return 'text'
  return statement.kind === 'create-table' && checksOf(statement).some(varies) ? 'check' : undefined
}

/** `folded`: see `foldName`. */
export const isReserved = (folded: string): boolean => RESERVED.some((prefix) => folded.startsWith(prefix))

type Create = Extract<Statement, { readonly kind: 'create-table' | 'create-index' | 'create-view' | 'create-trigger' }>

/** In the main schema, made in any case, out of the text alone. */
function isPlainCreate(statement: Statement): statement is Create {
  switch (statement.kind) {
    case 'create-table':
      return isMain(statement) && !statement.temporary && statement.as === null
    case 'create-view': case 'create-trigger':
      return isMain(statement) && !statement.temporary
    case 'create-index':
      return isMain(statement)
    default:
      return false
  }
}

/** Without a schema before its name; and not passed over because something of that name is there. */
const isMain = ({ name, ifNotExists }: Create): boolean => name.schema === null && !ifNotExists

function tableOf(statement: Create): string {
  switch (statement.kind) {
    case 'create-index':
      return statement.table.text
    case 'create-trigger':
      return statement.table.name.text
    default:
      return statement.name.name.text
  }
}

function checksOf({ columns, constraints }: Extract<Create, { readonly kind: 'create-table' }>): readonly Node[] {
  return [...columns.flatMap((column): readonly Node[] => column.constraints), ...constraints].filter(({ kind }) => kind === 'check')
}

function varies(check: Node): boolean {
  if (findAll(check, 'current-time').length > 0) return true
  return findAll(check, 'call').some(({ name: { text } }) => VARYING.has(foldName(text)) || foldName(text).startsWith('sealdb_'))
}
