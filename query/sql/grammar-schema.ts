/** Definitions: tables, indexes, views, triggers, virtual tables, ALTER, DROP, and SealDB's policies. */
import type { ParserMethod } from 'chevrotain'
import type {
  AlterAction, AlterTable, ColumnDef, CreateIndex, CreatePolicy, CreateTable, CreateTrigger, CreateView, CreateVirtualTable, Drop,
  DropPolicy, Name, Select, TableConstraint, TableOption, TriggerStep,
} from './ast.js'
import { ConstraintGrammar } from './grammar-constraint.js'
import { Comma, K, LParen, Nm, RParen, Semi } from './tokens.js'

type Made = CreateTable | CreateIndex | CreateView | CreateTrigger | CreateVirtualTable | CreatePolicy

export abstract class SchemaGrammar extends ConstraintGrammar {
  readonly create: ParserMethod<[], Made> = this.rule('create', () => {
    const start = this.next()
    this.CONSUME(K.CREATE)
    return this.OR<Made>([
      { ALT: () => this.SUBRULE(this.createTable, { ARGS: [start, false] }) },
      { ALT: () => this.SUBRULE(this.createView, { ARGS: [start, false] }) },
      { ALT: () => this.SUBRULE(this.createTrigger, { ARGS: [start, false] }) },
      { ALT: () => {
        this.OR2([{ ALT: () => this.CONSUME(K.TEMP) }, { ALT: () => this.CONSUME(K.TEMPORARY) }])
        return this.OR3<Made>([
          { ALT: () => this.SUBRULE2(this.createTable, { ARGS: [start, true] }) },
          { ALT: () => this.SUBRULE2(this.createView, { ARGS: [start, true] }) },
          { ALT: () => this.SUBRULE2(this.createTrigger, { ARGS: [start, true] }) },
        ])
      } },
      { ALT: () => this.SUBRULE(this.createIndex, { ARGS: [start] }) },
      { ALT: () => this.SUBRULE(this.createVirtualTable, { ARGS: [start] }) },
      { ALT: () => this.SUBRULE(this.createPolicy, { ARGS: [start] }) },
    ])
  })

  private readonly ifNotExists: ParserMethod<[], boolean> = this.rule('ifNotExists', () => {
    this.CONSUME(K.IF)
    this.CONSUME(K.NOT)
    this.CONSUME(K.EXISTS)
    return true
  })

  private readonly createTable: ParserMethod<[number, boolean], CreateTable> = this.rule('createTable', (start: number, temporary: boolean) => {
    this.CONSUME(K.TABLE)
    const ifNotExists = this.OPTION(() => this.SUBRULE(this.ifNotExists)) ?? false
    const name = this.SUBRULE(this.qualifiedName)
    const columns: ColumnDef[] = [], constraints: TableConstraint[] = [], options: TableOption[] = []
    const as = this.OR<Select | null>([
      { ALT: () => (this.CONSUME(K.AS), this.SUBRULE(this.select)) },
      { ALT: () => {
        this.CONSUME(LParen)
        columns.push(this.SUBRULE(this.columnDef))
        this.MANY(() => {
          this.CONSUME(Comma)
          this.OR2([
            { GATE: () => constraints.length === 0, ALT: () => columns.push(this.SUBRULE2(this.columnDef)) },
            // SQLite lets the comma between table constraints be left out.
            { ALT: () => this.AT_LEAST_ONE(() => constraints.push(this.SUBRULE(this.tableConstraint))) },
          ])
        })
        this.CONSUME(RParen)
        // The first may be missing: SQLite takes `) , STRICT`.
        this.OPTION2(() => options.push(this.SUBRULE(this.tableOption)))
        this.MANY2(() => (this.CONSUME2(Comma), options.push(this.SUBRULE2(this.tableOption))))
        return null
      } },
    ])
    return { kind: 'create-table', temporary, ifNotExists, name, columns, constraints, options, as, span: this.from(start) }
  })

  private readonly tableOption: ParserMethod<[], TableOption> = this.rule('tableOption', () => {
    const start = this.next()
    const without = this.OPTION(() => this.CONSUME(K.WITHOUT)) !== undefined
    const token = this.CONSUME(Nm)
    this.ACTION(() => {
      const word = this.nameOf(token).text.toLowerCase()
      if (word !== (without ? 'rowid' : 'strict')) throw this.fail(without ? ['ROWID'] : ['STRICT', 'WITHOUT ROWID'], token, 'unknown table option')
    })
    return { kind: 'table-option', option: without ? 'without rowid' : 'strict', span: this.from(start) }
  })

  private readonly createIndex: ParserMethod<[number], CreateIndex> = this.rule('createIndex', (start: number) => {
    const unique = this.OPTION(() => this.CONSUME(K.UNIQUE)) !== undefined
    this.CONSUME(K.INDEX)
    const ifNotExists = this.OPTION2(() => this.SUBRULE(this.ifNotExists)) ?? false
    const name = this.SUBRULE(this.qualifiedName)
    this.CONSUME(K.ON)
    const table = this.SUBRULE(this.name)
    this.CONSUME(LParen)
    const columns = this.SUBRULE(this.orderTerms)
    this.CONSUME(RParen)
    const where = this.OPTION3(() => this.SUBRULE(this.where)) ?? null
    return { kind: 'create-index', unique, ifNotExists, name, table, columns, where, span: this.from(start) }
  })

  private readonly createView: ParserMethod<[number, boolean], CreateView> = this.rule('createView', (start: number, temporary: boolean) => {
    this.CONSUME(K.VIEW)
    const ifNotExists = this.OPTION(() => this.SUBRULE(this.ifNotExists)) ?? false
    const name = this.SUBRULE(this.qualifiedName)
    const columns = this.OPTION2(() => this.SUBRULE(this.nameList)) ?? []
    this.CONSUME(K.AS)
    const select = this.SUBRULE(this.select)
    return { kind: 'create-view', temporary, ifNotExists, name, columns, select, span: this.from(start) }
  })

  private readonly createTrigger: ParserMethod<[number, boolean], CreateTrigger> = this.rule('createTrigger', (start: number, temporary: boolean) => {
    this.CONSUME(K.TRIGGER)
    const ifNotExists = this.OPTION(() => this.SUBRULE(this.ifNotExists)) ?? false
    const name = this.SUBRULE(this.qualifiedName)
    const time = this.OPTION2(() => this.OR<NonNullable<CreateTrigger['time']>>([
      { ALT: () => (this.CONSUME(K.BEFORE), 'before') },
      { ALT: () => (this.CONSUME(K.AFTER), 'after') },
      { ALT: () => (this.CONSUME(K.INSTEAD), this.CONSUME(K.OF), 'instead of') },
    ])) ?? null
    let columns: Name[] = []
    const event = this.OR2<CreateTrigger['event']>([
      { ALT: () => (this.CONSUME(K.INSERT), 'insert') },
      { ALT: () => (this.CONSUME(K.DELETE), 'delete') },
      { ALT: () => {
        this.CONSUME(K.UPDATE)
        this.OPTION3(() => {
          this.CONSUME2(K.OF)
          columns = this.SUBRULE(this.bareNames)
        })
        return 'update'
      } },
    ])
    this.CONSUME(K.ON)
    const table = this.SUBRULE2(this.qualifiedName)
    const forEachRow = this.OPTION4(() => (this.CONSUME(K.FOR), this.CONSUME(K.EACH), this.CONSUME(K.ROW))) !== undefined
    const when = this.OPTION5(() => (this.CONSUME(K.WHEN), this.SUBRULE(this.expr))) ?? null
    this.CONSUME(K.BEGIN)
    const steps: TriggerStep[] = []
    this.inTrigger = true
    this.AT_LEAST_ONE(() => {
      steps.push(this.SUBRULE(this.triggerStep))
      this.CONSUME(Semi)
    })
    this.inTrigger = false
    this.CONSUME(K.END)
    return {
      kind: 'create-trigger', temporary, ifNotExists, name, time, event, columns, table, forEachRow, when, steps, span: this.from(start),
    }
  })

  private readonly bareNames: ParserMethod<[], Name[]> = this.rule('bareNames', () => {
    const names: Name[] = []
    this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => names.push(this.SUBRULE(this.name)) })
    return names
  })

  private readonly triggerStep: ParserMethod<[], TriggerStep> = this.rule('triggerStep', () => {
    const start = this.next()
    return this.OR<TriggerStep>([
      { ALT: () => this.SUBRULE(this.insert, { ARGS: [start, null] }) },
      { ALT: () => this.SUBRULE(this.update, { ARGS: [start, null] }) },
      { ALT: () => this.SUBRULE(this.delete, { ARGS: [start, null] }) },
      { ALT: () => this.SUBRULE(this.select) },
    ])
  })

  private readonly createVirtualTable: ParserMethod<[number], CreateVirtualTable> = this.rule('createVirtualTable', (start: number) => {
    this.CONSUME(K.VIRTUAL)
    this.CONSUME(K.TABLE)
    const ifNotExists = this.OPTION(() => this.SUBRULE(this.ifNotExists)) ?? false
    const name = this.SUBRULE(this.qualifiedName)
    this.CONSUME(K.USING)
    const module = this.SUBRULE(this.name)
    const args = this.RECORDING_PHASE ? null : this.rawArguments()
    return { kind: 'create-virtual-table', ifNotExists, name, module, args, span: this.from(start) }
  })

  private readonly createPolicy: ParserMethod<[number], CreatePolicy> = this.rule('createPolicy', (start: number) => {
    this.CONSUME(K.POLICY)
    const name = this.SUBRULE(this.name)
    this.CONSUME(K.ON)
    const table = this.SUBRULE(this.qualifiedName)
    const command = this.OPTION(() => {
      this.CONSUME(K.FOR)
      return this.OR<CreatePolicy['command']>([
        { ALT: () => (this.CONSUME(K.INSERT), 'insert') },
        { ALT: () => (this.CONSUME(K.UPDATE), 'update') },
        { ALT: () => (this.CONSUME(K.DELETE), 'delete') },
        { ALT: () => (this.CONSUME(K.ALL), 'all') },
      ])
    }) ?? 'all'
    const roles = this.OPTION2(() => (this.CONSUME(K.TO), this.SUBRULE(this.bareNames))) ?? []
    const using = this.OPTION3(() => (this.CONSUME(K.USING), this.SUBRULE(this.bracketed))) ?? null
    const check = this.OPTION4(() => (this.CONSUME(K.WITH), this.CONSUME(K.CHECK), this.SUBRULE2(this.bracketed))) ?? null
    return { kind: 'create-policy', name, table, command, roles, using, check, span: this.from(start) }
  })

  readonly drop: ParserMethod<[], Drop | DropPolicy> = this.rule('drop', () => {
    const start = this.next()
    this.CONSUME(K.DROP)
    return this.OR<Drop | DropPolicy>([
      { ALT: () => {
        const object = this.OR2<Drop['object']>([
          { ALT: () => (this.CONSUME(K.TABLE), 'table') },
          { ALT: () => (this.CONSUME(K.INDEX), 'index') },
          { ALT: () => (this.CONSUME(K.VIEW), 'view') },
          { ALT: () => (this.CONSUME(K.TRIGGER), 'trigger') },
        ])
        const ifExists = this.OPTION(() => this.SUBRULE(this.ifExists)) ?? false
        return { kind: 'drop', object, ifExists, name: this.SUBRULE(this.qualifiedName), span: this.from(start) }
      } },
      { ALT: () => {
        this.CONSUME(K.POLICY)
        const ifExists = this.OPTION2(() => this.SUBRULE2(this.ifExists)) ?? false
        const name = this.SUBRULE(this.name)
        this.CONSUME(K.ON)
        return { kind: 'drop-policy', ifExists, name, table: this.SUBRULE2(this.qualifiedName), span: this.from(start) }
      } },
    ])
  })

  private readonly ifExists: ParserMethod<[], boolean> = this.rule('ifExists', () => {
    this.CONSUME(K.IF)
    this.CONSUME(K.EXISTS)
    return true
  })

  readonly alter: ParserMethod<[], AlterTable> = this.rule('alter', () => {
    const start = this.next()
    this.CONSUME(K.ALTER)
    this.CONSUME(K.TABLE)
    const name = this.SUBRULE(this.qualifiedName)
    const action = this.OR<AlterAction>([
      { ALT: () => this.SUBRULE(this.alterRename) },
      { ALT: () => this.SUBRULE(this.alterAdd) },
      { ALT: () => this.SUBRULE(this.alterDrop) },
      { ALT: () => this.SUBRULE(this.alterColumn) },
    ])
    return { kind: 'alter-table', name, action, span: this.from(start) }
  })

  private readonly alterRename: ParserMethod<[], AlterAction> = this.rule('alterRename', () => {
    const start = this.next()
    this.CONSUME(K.RENAME)
    return this.OR<AlterAction>([
      { ALT: () => (this.CONSUME(K.TO), { kind: 'rename-table', to: this.SUBRULE(this.name), span: this.from(start) }) },
      { ALT: () => {
        this.OPTION(() => this.CONSUME(K.COLUMN))
        const column = this.SUBRULE2(this.name)
        this.CONSUME2(K.TO)
        return { kind: 'rename-column', column, to: this.SUBRULE3(this.name), span: this.from(start) }
      } },
    ])
  })

  private readonly alterAdd: ParserMethod<[], AlterAction> = this.rule('alterAdd', () => {
    const start = this.next()
    this.CONSUME(K.ADD)
    return this.OR<AlterAction>([
      { ALT: () => {
        const name = this.OPTION(() => (this.CONSUME(K.CONSTRAINT), this.SUBRULE(this.name))) ?? null
        return { kind: 'add-constraint', constraint: this.SUBRULE(this.check, { ARGS: [start, name] }), span: this.from(start) }
      } },
      { ALT: () => {
        this.OPTION2(() => this.CONSUME(K.COLUMN))
        return { kind: 'add-column', column: this.SUBRULE(this.columnDef), span: this.from(start) }
      } },
    ])
  })

  private readonly alterDrop: ParserMethod<[], AlterAction> = this.rule('alterDrop', () => {
    const start = this.next()
    this.CONSUME(K.DROP)
    return this.OR<AlterAction>([
      { ALT: () => (this.CONSUME(K.CONSTRAINT), { kind: 'drop-constraint', name: this.SUBRULE(this.name), span: this.from(start) }) },
      { ALT: () => {
        this.OPTION(() => this.CONSUME(K.COLUMN))
        return { kind: 'drop-column', column: this.SUBRULE2(this.name), span: this.from(start) }
      } },
    ])
  })

  private readonly alterColumn: ParserMethod<[], AlterAction> = this.rule('alterColumn', () => {
    const start = this.next()
    this.CONSUME(K.ALTER)
    this.OPTION(() => this.CONSUME(K.COLUMN))
    const column = this.SUBRULE(this.name)
    return this.OR<AlterAction>([
      { ALT: () => {
        this.CONSUME(K.SET)
        this.CONSUME(K.NOT)
        this.CONSUME(K.NULL)
        const conflict = this.OPTION2(() => this.SUBRULE(this.onConflict)) ?? null
        return { kind: 'set-not-null', column, conflict, span: this.from(start) }
      } },
      { ALT: () => {
        this.CONSUME(K.DROP)
        this.CONSUME2(K.NOT)
        this.CONSUME2(K.NULL)
        return { kind: 'drop-not-null', column, span: this.from(start) }
      } },
    ])
  })

  /** A virtual table's arguments: raw text between commas that stand in no inner brackets. */
  private rawArguments(): string[] | null {
    if (this.at(1) !== LParen) return null
    const args: string[] = []
    let depth = 0, from = this.LA(1).startOffset + 1
    for (;;) {
      const token = this.LA(1)
      if (Number.isNaN(token.startOffset) || token.tokenType === Semi) throw this.fail(['")"'])
      this.SKIP_TOKEN()
      if (token.tokenType === LParen) depth++
      const ends = token.tokenType === RParen && --depth === 0
      if (ends || (token.tokenType === Comma && depth === 1)) {
        args.push(this.text.slice(from, token.startOffset).trim())
        from = token.startOffset + 1
      }
      if (ends) return args
    }
  }
}

