/**
 * A text as the session needs it: what kind of statement it is, and the SQL that SQLite gets to see. What has no meaning on shared tables is refused
 * here, by name (query/README.md lists it with reasons).
 */
import { SealError } from '../engine/errors.js'
import { withoutOurWords } from './ddl.js'
import { type Pragma, type Statement } from './sql/ast.js'
import { foldName } from './sql/names.js'
import { parseStatement } from './sql/parse.js'

/** `read` runs at once, `write` and `schema` in a transaction, `control` is about the transaction, `nothing` does nothing. */
export type StatementKind = 'read' | 'write' | 'schema' | 'control' | 'policy' | 'nothing'

export interface Compiled {
  readonly text: string
  readonly ast: Statement
  readonly kind: StatementKind
  readonly sql: string
}

export function compile(text: string): Compiled {
  const ast = parseStatement(text)
  return { text, ast, kind: kindOf(ast), sql: withoutOurWords(text, ast) }
}

function kindOf(ast: Statement): StatementKind {
  switch (ast.kind) {
    case 'select': case 'explain':
      return 'read'
    case 'insert': case 'update': case 'delete':
      return 'write'
    case 'create-table': case 'create-index': case 'create-view': case 'create-trigger': case 'alter-table': case 'drop':
    // They touch local statistics and indexes only, but of every table.
    case 'analyze': case 'reindex':
      return 'schema'
    case 'create-policy': case 'drop-policy':
      return 'policy'
    case 'begin': case 'commit': case 'rollback': case 'savepoint': case 'release':
      return 'control'
    case 'pragma':
      return pragmaKind(ast)
    case 'vacuum':
      if (ast.into !== null) throw unsupported('VACUUM INTO', 'Use export() for a plain SQLite file.')
      // In memory there is nothing to win, and it would give rows new rowids.
      return 'nothing'
    case 'attach': case 'detach':
      throw unsupported('ATTACH', 'A space is one database; open another for another.')
    case 'create-virtual-table':
      throw unsupported('CREATE VIRTUAL TABLE', 'Only ordinary tables can be sealed.')
  }
}

/** Settings of the connection that don't touch what others would see. All others are read, never set. */
const SETTINGS = new Set([
  'foreign_keys', 'recursive_triggers', 'case_sensitive_like', 'reverse_unordered_selects', 'automatic_index', 'defer_foreign_keys', 'cell_size_check',
  'full_column_names', 'short_column_names', 'count_changes', 'empty_result_callbacks', 'query_only', 'cache_size', 'analysis_limit', 'threads', 'busy_timeout', 'soft_heap_limit',
])
const DANGEROUS = new Set(['writable_schema', 'temp_store', 'journal_mode', 'encoding', 'page_size', 'locking_mode', 'ignore_check_constraints', 'trusted_schema', 'legacy_alter_table', 'auto_vacuum'])

function pragmaKind({ name, form, value }: Pragma): StatementKind {
  const word = foldName(name.text)
  if (form === 'get' || value === null || SETTINGS.has(word) || word.includes('_list') || word.includes('_info') || word.includes('_xinfo') || word.includes('_check')) return 'read'
  if (DANGEROUS.has(word)) throw unsupported(`PRAGMA ${word}`, 'It would change how rows are kept, or who checks them.')
  return 'read'
}

function unsupported(what: string, why: string): SealError {
  return new SealError('unsupported-sql', `${what} is not supported on a shared space. ${why}`, { what })
}
