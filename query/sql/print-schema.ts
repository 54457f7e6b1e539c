/** Definitions back to SQL. */
import type {
  AlterAction, ColumnConstraint, ColumnDef, CreateIndex, CreatePolicy, CreateTable, CreateTrigger, CreateView, CreateVirtualTable, Deferral,
  Expr, Name, QualifiedName, References, ReferenceAction, Resolution, TableConstraint,
} from './ast.js'
import { printName } from './names.js'
import { bracketed, dotted, list, printExpr, printOrderTerm, printSelect, printTypeName, printWhere, words } from './print-query.js'
import { printWrite } from './print-write.js'

export const printQualified = ({ schema, name }: QualifiedName): string => dotted(schema, name)

const temp = (temporary: boolean): string | false => temporary && 'TEMP'
const unlessExists = (ifNotExists: boolean): string | false => ifNotExists && 'IF NOT EXISTS'

export function printCreateTable(table: CreateTable): string {
  const head = words('CREATE', temp(table.temporary), 'TABLE', unlessExists(table.ifNotExists), printQualified(table.name))
  if (table.as !== null) return `${head} AS ${printSelect(table.as)}`
  const parts = [...table.columns.map(printColumnDef), ...table.constraints.map(printTableConstraint)]
  return words(head, `(${parts.join(', ')})`, list(table.options, ({ option }) => option.toUpperCase()))
}

export const printColumnDef = ({ name, type, constraints }: ColumnDef): string =>
  words(printName(name), type !== null && printTypeName(type), ...constraints.map(printColumnConstraint))

const printColumnConstraint = (c: ColumnConstraint): string => words(constraintName(c.name), columnConstraintBody(c))

function columnConstraintBody(c: ColumnConstraint): string {
  switch (c.kind) {
    case 'bare-constraint': return ''
    case 'not-null': return words('NOT NULL', onConflict(c.conflict))
    case 'null': return words('NULL', onConflict(c.conflict))
    case 'primary-key-column': return words(
      'PRIMARY KEY', c.direction !== null && c.direction.toUpperCase(), onConflict(c.conflict), c.autoincrement && 'AUTOINCREMENT')
    case 'unique-column': return words('UNIQUE', onConflict(c.conflict))
    case 'default': return `DEFAULT ${printDefault(c.value)}`
    case 'collate-constraint': return `COLLATE ${printName(c.collation)}`
    case 'generated': return words(c.always && 'GENERATED ALWAYS', `AS (${printExpr(c.expr)})`, c.type !== null && printName(c.type))
    case 'check': return words(`CHECK (${printExpr(c.expr)})`, onConflict(c.conflict))
    case 'references': return printReferences(c.target)
    case 'deferrable': return printDeferral(c)
    case 'visibility': return c.visibility.toUpperCase()
  }
}

export const printTableConstraint = (c: TableConstraint): string => words(constraintName(c.name), tableConstraintBody(c))

function tableConstraintBody(c: TableConstraint): string {
  switch (c.kind) {
    case 'bare-constraint': return ''
    case 'primary-key': return words(
      `PRIMARY KEY (${list(c.columns, printOrderTerm)}${c.autoincrement ? ' AUTOINCREMENT' : ''})`, onConflict(c.conflict))
    case 'unique': return words(`UNIQUE (${list(c.columns, printOrderTerm)})`, onConflict(c.conflict))
    case 'check': return columnConstraintBody(c)
    case 'foreign-key': return words(
      'FOREIGN KEY', bracketed(c.columns, printName), printReferences(c.target), c.deferral !== null && printDeferral(c.deferral))
  }
}

/** Terms and words as they are; anything else in brackets. Words that join tables are no default without them. */
function printDefault(value: Expr): string {
  const signed = value.kind === 'unary' && value.operator !== 'not' && value.operator !== '~' ? value.operand : value
  const plain = signed.kind === 'literal' || signed.kind === 'current-time'
    || (value.kind === 'column' && value.table === null && !/^(cross|full|inner|left|natural|outer|right)$/i.test(printName(value.name)))
  return plain ? printExpr(value) : `(${printExpr(value)})`
}

const printReferences = ({ table, columns, actions }: References): string =>
  words('REFERENCES', printName(table), bracketed(columns, printName), ...actions.map(printReferenceAction))

const printReferenceAction = ({ on, action, match }: ReferenceAction): string =>
  match !== null ? `MATCH ${printName(match)}` : `ON ${on.toUpperCase()} ${(action ?? 'no action').toUpperCase()}`

const printDeferral = ({ not, initially }: Deferral): string =>
  words(not && 'NOT', 'DEFERRABLE', initially !== null && `INITIALLY ${initially.toUpperCase()}`)
const constraintName = (name: Name | null): string => name === null ? '' : `CONSTRAINT ${printName(name)}`
const onConflict = (conflict: Resolution | null): string => conflict === null ? '' : `ON CONFLICT ${conflict.toUpperCase()}`

export const printCreateIndex = (index: CreateIndex): string => words(
  'CREATE', index.unique && 'UNIQUE', 'INDEX', unlessExists(index.ifNotExists), printQualified(index.name), 'ON', printName(index.table),
  `(${list(index.columns, printOrderTerm)})`, printWhere(index.where))

export const printCreateView = (view: CreateView): string => words(
  'CREATE', temp(view.temporary), 'VIEW', unlessExists(view.ifNotExists), printQualified(view.name), bracketed(view.columns, printName),
  'AS', printSelect(view.select))

export const printCreateTrigger = (trigger: CreateTrigger): string => words(
  'CREATE', temp(trigger.temporary), 'TRIGGER', unlessExists(trigger.ifNotExists), printQualified(trigger.name),
  trigger.time !== null && trigger.time.toUpperCase(), trigger.event.toUpperCase(),
  trigger.columns.length > 0 && `OF ${list(trigger.columns, printName)}`, 'ON', printQualified(trigger.table),
  trigger.forEachRow && 'FOR EACH ROW', trigger.when !== null && `WHEN ${printExpr(trigger.when)}`,
  'BEGIN', ...trigger.steps.map((step) => `${step.kind === 'select' ? printSelect(step) : printWrite(step)};`), 'END')

/** An argument that holds a line comment ends its line. */
export const printCreateVirtualTable = (table: CreateVirtualTable): string => words(
  'CREATE VIRTUAL TABLE', unlessExists(table.ifNotExists), printQualified(table.name), 'USING',
  printName(table.module) + (table.args === null ? '' : `(${list(table.args, (text) => text.includes('--') ? `${text}\n` : text)})`))

export const printCreatePolicy = (policy: CreatePolicy): string => words(
  'CREATE POLICY', printName(policy.name), 'ON', printQualified(policy.table), 'FOR', policy.command.toUpperCase(),
  policy.roles.length > 0 && `TO ${list(policy.roles, printName)}`, policy.using !== null && `USING (${printExpr(policy.using)})`,
  policy.check !== null && `WITH CHECK (${printExpr(policy.check)})`)

export function printAlterAction(action: AlterAction): string {
  switch (action.kind) {
    case 'rename-table': return `RENAME TO ${printName(action.to)}`
    case 'rename-column': return `RENAME COLUMN ${printName(action.column)} TO ${printName(action.to)}`
    case 'add-column': return `ADD COLUMN ${printColumnDef(action.column)}`
    case 'drop-column': return `DROP COLUMN ${printName(action.column)}`
    case 'add-constraint': return `ADD ${printTableConstraint(action.constraint)}`
    case 'drop-constraint': return `DROP CONSTRAINT ${printName(action.name)}`
    case 'set-not-null': return words(`ALTER COLUMN ${printName(action.column)} SET NOT NULL`, onConflict(action.conflict))
    case 'drop-not-null': return `ALTER COLUMN ${printName(action.column)} DROP NOT NULL`
  }
}
