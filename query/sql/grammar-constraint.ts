/** Columns of a table, and the constraints of columns and tables. */
import type { IToken, ParserMethod } from 'chevrotain'
import type {
  BareConstraint, CheckConstraint, ColumnConstraint, ColumnDef, Deferral, Expr, ForeignKey, GeneratedConstraint, Name, PrimaryKey,
  ReferenceAction, References, Resolution, TableConstraint, Unique,
} from './ast.js'
import { WriteGrammar } from './grammar-write.js'
import { CurrentTimeToken, Ids, K, LParen, Minus, PlainLiteral, Plus, RParen, Text, Word } from './tokens.js'

export abstract class ConstraintGrammar extends WriteGrammar {
  readonly columnDef: ParserMethod<[], ColumnDef> = this.rule('columnDef', () => {
    const start = this.next(), constraints: ColumnConstraint[] = []
    const name = this.SUBRULE(this.name)
    const type = this.OPTION({ GATE: () => !this.endsType(), DEF: () => this.SUBRULE(this.typeName) }) ?? null
    this.MANY(() => constraints.push(this.SUBRULE(this.columnConstraint)))
    return { kind: 'column-def', name, type, constraints, span: this.from(start) }
  })

  private readonly columnConstraint: ParserMethod<[], ColumnConstraint> = this.rule('columnConstraint', () => {
    const start = this.next()
    return this.OR<ColumnConstraint>([
      { ALT: () => {
        const name = this.SUBRULE(this.constraintName)
        return this.OPTION(() => this.SUBRULE(this.columnConstraintBody, { ARGS: [start, name] })) ?? this.bare(start, name)
      } },
      { ALT: () => this.SUBRULE2(this.columnConstraintBody, { ARGS: [start, null] }) },
    ])
  })

  private readonly constraintName: ParserMethod<[], Name> = this.rule('constraintName', () => {
    this.CONSUME(K.CONSTRAINT)
    return this.SUBRULE(this.name)
  })

  private readonly columnConstraintBody: ParserMethod<[number, Name | null], ColumnConstraint> =
    this.rule('columnConstraintBody', (start: number, name: Name | null) => this.OR<ColumnConstraint>([
      { ALT: () => (this.CONSUME(K.DEFAULT), { kind: 'default', name, value: this.SUBRULE(this.defaultValue), span: this.from(start) }) },
      { ALT: () => {
        this.CONSUME(K.NULL)
        return { kind: 'null', name, conflict: this.OPTION(() => this.SUBRULE(this.onConflict)) ?? null, span: this.from(start) }
      } },
      { ALT: () => {
        this.CONSUME(K.NOT)
        return this.OR2<ColumnConstraint>([
          { ALT: () => {
            this.CONSUME2(K.NULL)
            return { kind: 'not-null', name, conflict: this.OPTION2(() => this.SUBRULE2(this.onConflict)) ?? null, span: this.from(start) }
          } },
          { ALT: () => {
            const initially = this.SUBRULE(this.deferrable)
            return { kind: 'deferrable', name, not: true, initially, span: this.from(start) }
          } },
        ])
      } },
      { ALT: () => {
        const initially = this.SUBRULE2(this.deferrable)
        return { kind: 'deferrable', name, not: false, initially, span: this.from(start) }
      } },
      { ALT: () => {
        this.CONSUME(K.PRIMARY)
        this.CONSUME(K.KEY)
        const direction = this.OPTION3(() => this.SUBRULE(this.direction)) ?? null
        const conflict = this.OPTION4(() => this.SUBRULE3(this.onConflict)) ?? null
        const autoincrement = this.OPTION5(() => this.CONSUME(K.AUTOINCREMENT)) !== undefined
        return { kind: 'primary-key-column', name, direction, conflict, autoincrement, span: this.from(start) }
      } },
      { ALT: () => {
        this.CONSUME(K.UNIQUE)
        return { kind: 'unique-column', name, conflict: this.OPTION6(() => this.SUBRULE4(this.onConflict)) ?? null, span: this.from(start) }
      } },
      // SQLite takes ON CONFLICT after a table's CHECK only.
      { ALT: () => (this.CONSUME(K.CHECK), { kind: 'check', name, expr: this.SUBRULE(this.bracketed), conflict: null, span: this.from(start) }) },
      { ALT: () => ({ kind: 'references', name, target: this.SUBRULE(this.references), span: this.from(start) }) },
      { ALT: () => {
        this.CONSUME(K.COLLATE)
        return { kind: 'collate-constraint', name, collation: this.nameOf(this.CONSUME(Ids)), span: this.from(start) }
      } },
      { ALT: () => this.SUBRULE(this.generated, { ARGS: [start, name] }) },
      { ALT: () => (this.CONSUME(K.PLAINTEXT), { kind: 'visibility', name, visibility: 'plaintext', span: this.from(start) }) },
      { ALT: () => (this.CONSUME(K.BLIND), { kind: 'visibility', name, visibility: 'blind', span: this.from(start) }) },
    ]))

  private readonly generated: ParserMethod<[number, Name | null], GeneratedConstraint> =
    this.rule('generated', (start: number, name: Name | null) => {
      const always = this.OPTION(() => (this.CONSUME(K.GENERATED), this.CONSUME(K.ALWAYS))) !== undefined
      this.CONSUME(K.AS)
      const expr = this.SUBRULE(this.bracketed)
      const type = this.OPTION2({ GATE: () => !this.endsType(), DEF: () => this.nameOf(this.CONSUME(Word)) }) ?? null
      return { kind: 'generated', name, always, expr, type, span: this.from(start) }
    })

  /** `(expr)`, a literal with or without a sign, CURRENT_*, or a bare word, which SQLite takes as text. */
  private readonly defaultValue: ParserMethod<[], Expr> = this.rule('defaultValue', () => {
    const start = this.next()
    return this.OR<Expr>([
      { ALT: () => this.SUBRULE(this.bracketed) },
      { ALT: () => {
        const sign = this.OR2<IToken>([{ ALT: () => this.CONSUME(Plus) }, { ALT: () => this.CONSUME(Minus) }])
        const operand = this.SUBRULE(this.term)
        return { kind: 'unary', operator: sign.image as '+' | '-', operand, span: this.from(start) }
      } },
      { ALT: () => this.SUBRULE2(this.term) },
      { ALT: () => ({ kind: 'column', schema: null, table: null, name: this.nameOf(this.CONSUME(Word)), span: this.from(start) }) },
      { ALT: () => ({ kind: 'column', schema: null, table: null, name: this.nameOf(this.CONSUME(K.INDEXED)), span: this.from(start) }) },
    ])
  })

  private readonly term: ParserMethod<[], Expr> = this.rule('term', () => this.OR<Expr>([
    { ALT: () => this.literalOf(this.CONSUME(PlainLiteral)) },
    { ALT: () => this.literalOf(this.CONSUME(Text)) },
    { ALT: () => this.currentTimeOf(this.CONSUME(CurrentTimeToken)) },
  ]))

  readonly tableConstraint: ParserMethod<[], TableConstraint> = this.rule('tableConstraint', () => {
    const start = this.next()
    return this.OR<TableConstraint>([
      { ALT: () => {
        const name = this.SUBRULE(this.constraintName)
        return this.OPTION(() => this.SUBRULE(this.tableConstraintBody, { ARGS: [start, name] })) ?? this.bare(start, name)
      } },
      { ALT: () => this.SUBRULE2(this.tableConstraintBody, { ARGS: [start, null] }) },
    ])
  })

  private readonly tableConstraintBody: ParserMethod<[number, Name | null], TableConstraint> =
    this.rule('tableConstraintBody', (start: number, name: Name | null) => this.OR<TableConstraint>([
      { ALT: () => this.SUBRULE(this.primaryKey, { ARGS: [start, name] }) },
      { ALT: () => this.SUBRULE(this.unique, { ARGS: [start, name] }) },
      { ALT: () => this.SUBRULE(this.check, { ARGS: [start, name] }) },
      { ALT: () => this.SUBRULE(this.foreignKey, { ARGS: [start, name] }) },
    ]))

  private readonly primaryKey: ParserMethod<[number, Name | null], PrimaryKey> = this.rule('primaryKey', (start: number, name: Name | null) => {
    this.CONSUME(K.PRIMARY)
    this.CONSUME(K.KEY)
    this.CONSUME(LParen)
    const columns = this.SUBRULE(this.orderTerms)
    const autoincrement = this.OPTION(() => this.CONSUME(K.AUTOINCREMENT)) !== undefined
    this.CONSUME(RParen)
    const conflict = this.OPTION2(() => this.SUBRULE(this.onConflict)) ?? null
    return { kind: 'primary-key', name, columns, autoincrement, conflict, span: this.from(start) }
  })

  private readonly unique: ParserMethod<[number, Name | null], Unique> = this.rule('unique', (start: number, name: Name | null) => {
    this.CONSUME(K.UNIQUE)
    this.CONSUME(LParen)
    const columns = this.SUBRULE(this.orderTerms)
    this.CONSUME(RParen)
    const conflict = this.OPTION(() => this.SUBRULE(this.onConflict)) ?? null
    return { kind: 'unique', name, columns, conflict, span: this.from(start) }
  })

  readonly check: ParserMethod<[number, Name | null], CheckConstraint> = this.rule('check', (start: number, name: Name | null) => {
    this.CONSUME(K.CHECK)
    const expr = this.SUBRULE(this.bracketed)
    const conflict = this.OPTION(() => this.SUBRULE(this.onConflict)) ?? null
    return { kind: 'check', name, expr, conflict, span: this.from(start) }
  })

  private readonly foreignKey: ParserMethod<[number, Name | null], ForeignKey> = this.rule('foreignKey', (start: number, name: Name | null) => {
    this.CONSUME(K.FOREIGN)
    this.CONSUME(K.KEY)
    const columns = this.SUBRULE(this.nameList)
    const target = this.SUBRULE(this.references)
    const deferStart = this.next()
    const deferral = this.OPTION<Deferral>(() => {
      const not = this.OPTION2(() => this.CONSUME(K.NOT)) !== undefined
      return { not, initially: this.SUBRULE(this.deferrable) }
    })
    const deferred = deferral === undefined ? null : { kind: 'deferrable' as const, name: null, ...deferral, span: this.from(deferStart) }
    return { kind: 'foreign-key', name, columns, target, deferral: deferred, span: this.from(start) }
  })

  private readonly references: ParserMethod<[], References> = this.rule('references', () => {
    const start = this.next(), actions: ReferenceAction[] = []
    this.CONSUME(K.REFERENCES)
    const table = this.SUBRULE(this.name)
    const columns = this.OPTION(() => this.SUBRULE(this.nameList)) ?? []
    this.MANY(() => actions.push(this.SUBRULE(this.referenceAction)))
    return { kind: 'references-target', table, columns, actions, span: this.from(start) }
  })

  private readonly referenceAction: ParserMethod<[], ReferenceAction> = this.rule('referenceAction', () => {
    const start = this.next()
    return this.OR<ReferenceAction>([
      { ALT: () => {
        this.CONSUME(K.MATCH)
        return { kind: 'reference-action', on: 'match', action: null, match: this.SUBRULE(this.name), span: this.from(start) }
      } },
      { ALT: () => {
        this.CONSUME(K.ON)
        const on = this.OR2<'insert' | 'update' | 'delete'>([
          { ALT: () => (this.CONSUME(K.INSERT), 'insert') },
          { ALT: () => (this.CONSUME(K.UPDATE), 'update') },
          { ALT: () => (this.CONSUME(K.DELETE), 'delete') },
        ])
        const action = this.OR3<NonNullable<ReferenceAction['action']>>([
          { ALT: () => {
            this.CONSUME(K.SET)
            return this.OR4<'set null' | 'set default'>([
              { ALT: () => (this.CONSUME(K.NULL), 'set null') },
              { ALT: () => (this.CONSUME(K.DEFAULT), 'set default') },
            ])
          } },
          { ALT: () => (this.CONSUME(K.CASCADE), 'cascade') },
          { ALT: () => (this.CONSUME(K.RESTRICT), 'restrict') },
          { ALT: () => (this.CONSUME(K.NO), this.CONSUME(K.ACTION), 'no action') },
        ])
        return { kind: 'reference-action', on, action, match: null, span: this.from(start) }
      } },
    ])
  })

  /** DEFERRABLE [INITIALLY …], after its NOT if any. */
  private readonly deferrable: ParserMethod<[], Deferral['initially']> = this.rule('deferrable', () => {
    this.CONSUME(K.DEFERRABLE)
    return this.OPTION(() => {
      this.CONSUME(K.INITIALLY)
      return this.OR<'deferred' | 'immediate'>([
        { ALT: () => (this.CONSUME(K.DEFERRED), 'deferred') },
        { ALT: () => (this.CONSUME(K.IMMEDIATE), 'immediate') },
      ])
    }) ?? null
  })

  readonly onConflict: ParserMethod<[], Resolution> = this.rule('onConflict', () => {
    this.CONSUME(K.ON)
    this.CONSUME(K.CONFLICT)
    return this.SUBRULE(this.resolution)
  })

  readonly bracketed: ParserMethod<[], Expr> = this.rule('bracketed', () => {
    this.CONSUME(LParen)
    const expr = this.SUBRULE(this.expr)
    this.CONSUME(RParen)
    return expr
  })

  private bare(start: number, name: Name): BareConstraint {
    return { kind: 'bare-constraint', name, span: this.from(start) }
  }
}
