/**
 * A statement back to SQL: parsing what is printed gives the same tree, spans aside. A rewriter that wants to keep the original's spacing,
 * comments and unaliased column names splices its text by spans instead.
 *
 * @example
 * printStatement(parseStatement('select (a) from t where ((x=1))')) // 'SELECT a FROM t WHERE x = 1'
 */
import type { Name, Pragma, SignedNumber, Statement } from './ast.js'
import { printName } from './names.js'
import { dotted, printExpr, printSelect, printSigned, words } from './print-query.js'
import {
  printAlterAction, printCreateIndex, printCreatePolicy, printCreateTable, printCreateTrigger, printCreateView, printCreateVirtualTable,
  printQualified,
} from './print-schema.js'
import { printWrite } from './print-write.js'

export { printExpr, printSelect } from './print-query.js'
export { printColumnDef, printCreateTable, printTableConstraint } from './print-schema.js'
export { printName } from './names.js'

export function printStatement(s: Statement): string {
  switch (s.kind) {
    case 'select': return printSelect(s)
    case 'insert': case 'update': case 'delete': return printWrite(s)
    case 'create-table': return printCreateTable(s)
    case 'create-index': return printCreateIndex(s)
    case 'create-view': return printCreateView(s)
    case 'create-trigger': return printCreateTrigger(s)
    case 'create-virtual-table': return printCreateVirtualTable(s)
    case 'create-policy': return printCreatePolicy(s)
    case 'alter-table': return `ALTER TABLE ${printQualified(s.name)} ${printAlterAction(s.action)}`
    case 'drop': return words('DROP', s.object.toUpperCase(), s.ifExists && 'IF EXISTS', printQualified(s.name))
    case 'drop-policy': return words('DROP POLICY', s.ifExists && 'IF EXISTS', printName(s.name), 'ON', printQualified(s.table))
    case 'begin': return words('BEGIN', s.mode !== null && s.mode.toUpperCase())
    case 'commit': return 'COMMIT'
    case 'rollback': return words('ROLLBACK', s.to !== null && `TO ${printName(s.to)}`)
    case 'savepoint': return `SAVEPOINT ${printName(s.name)}`
    case 'release': return `RELEASE ${printName(s.name)}`
    case 'pragma': return printPragma(s)
    case 'explain': return words('EXPLAIN', s.mode !== 'opcodes' && s.mode.toUpperCase(), printStatement(s.statement))
    case 'attach': return words('ATTACH', printExpr(s.file), 'AS', printExpr(s.schema), s.key !== null && `KEY ${printExpr(s.key)}`)
    case 'detach': return `DETACH ${printExpr(s.schema)}`
    case 'reindex': return words('REINDEX', s.name !== null && printQualified(s.name))
    case 'analyze': return words('ANALYZE', s.name !== null && printQualified(s.name))
    case 'vacuum': return words('VACUUM', s.schema !== null && printName(s.schema), s.into !== null && `INTO ${printExpr(s.into)}`)
  }
}

function printPragma({ schema, name, form, value }: Pragma): string {
  const head = `PRAGMA ${dotted(schema, name)}`
  if (form === 'get' || value === null) return head
  return form === 'assign' ? `${head} = ${printSetting(value)}` : `${head}(${printSetting(value)})`
}

const printSetting = (value: Name | SignedNumber): string => value.kind === 'name' ? printName(value) : printSigned(value)
