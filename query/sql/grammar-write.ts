/** INSERT, REPLACE, UPDATE, DELETE with UPSERT and RETURNING; in triggers, the narrower forms that SQLite takes there. */
import type { ParserMethod } from 'chevrotain'
import type {
  Assignment, Delete, Expr, Insert, Name, OrderTerm, Resolution, ResultColumn, Select, Star, TableRef, Update, Upsert, With,
} from './ast.js'
import { QueryGrammar } from './grammar-query.js'
import { Comma, Equal, K, LParen, RParen } from './tokens.js'

type Returning = (ResultColumn | Star)[]

export abstract class WriteGrammar extends QueryGrammar {
  /** Inside a trigger: no WITH, no DEFAULT VALUES, no RETURNING after UPDATE and DELETE. */
  protected inTrigger = false

  readonly insert: ParserMethod<[number, With | null], Insert> = this.rule('insert', (start: number, ctes: With | null) => {
    const or = this.OR<Resolution | null>([
      { ALT: () => (this.CONSUME(K.INSERT), this.OPTION(() => this.SUBRULE(this.orResolution)) ?? null) },
      { ALT: () => (this.CONSUME(K.REPLACE), 'replace') },
    ])
    this.CONSUME(K.INTO)
    const target = this.SUBRULE(this.target)
    const columns = this.OPTION2(() => this.SUBRULE(this.nameList)) ?? []
    const upserts: Upsert[] = []
    const source = this.OR2<Select | null>([
      { GATE: () => !this.inTrigger, ALT: () => (this.CONSUME(K.DEFAULT), this.CONSUME(K.VALUES), null) },
      { ALT: () => {
        const select = this.SUBRULE(this.select)
        this.MANY({ GATE: () => !isCatchAll(upserts[upserts.length - 1]), DEF: () => upserts.push(this.SUBRULE(this.upsert)) })
        return select
      } },
    ])
    const returning = this.OPTION3(() => this.SUBRULE(this.returning)) ?? []
    return { kind: 'insert', with: ctes, or, target, columns, source, upserts, returning, span: this.from(start) }
  })

  private readonly upsert: ParserMethod<[], Upsert> = this.rule('upsert', () => {
    const start = this.next()
    let columns: OrderTerm[] = [], columnsWhere: Expr | null = null
    this.CONSUME(K.ON)
    this.CONSUME(K.CONFLICT)
    this.OPTION(() => {
      this.CONSUME(LParen)
      columns = this.SUBRULE(this.orderTerms)
      this.CONSUME(RParen)
      columnsWhere = this.OPTION2(() => this.SUBRULE(this.where)) ?? null
    })
    this.CONSUME(K.DO)
    let set: Assignment[] = [], where: Expr | null = null
    this.OR([
      { ALT: () => this.CONSUME(K.NOTHING) },
      { ALT: () => {
        this.CONSUME(K.UPDATE)
        set = this.SUBRULE(this.assignments)
        where = this.OPTION3(() => this.SUBRULE2(this.where)) ?? null
      } },
    ])
    return { kind: 'upsert', columns, columnsWhere, set, where, span: this.from(start) }
  })

  readonly update: ParserMethod<[number, With | null], Update> = this.rule('update', (start: number, ctes: With | null) => {
    this.CONSUME(K.UPDATE)
    const or = this.OPTION(() => this.SUBRULE(this.orResolution)) ?? null
    const target = this.SUBRULE(this.hintedTarget)
    const set = this.SUBRULE(this.assignments)
    const from = this.OPTION2(() => (this.CONSUME(K.FROM), this.SUBRULE(this.sources))) ?? null
    const where = this.OPTION3(() => this.SUBRULE(this.where)) ?? null
    const returning = this.OPTION4({ GATE: () => !this.inTrigger, DEF: () => this.SUBRULE(this.returning) }) ?? []
    return { kind: 'update', with: ctes, or, target, set, from, where, returning, span: this.from(start) }
  })

  readonly delete: ParserMethod<[number, With | null], Delete> = this.rule('delete', (start: number, ctes: With | null) => {
    this.CONSUME(K.DELETE)
    this.CONSUME(K.FROM)
    const target = this.SUBRULE(this.hintedTarget)
    const where = this.OPTION(() => this.SUBRULE(this.where)) ?? null
    const returning = this.OPTION2({ GATE: () => !this.inTrigger, DEF: () => this.SUBRULE(this.returning) }) ?? []
    return { kind: 'delete', with: ctes, target, where, returning, span: this.from(start) }
  })

  private readonly hintedTarget: ParserMethod<[], TableRef> = this.rule('hintedTarget', () => {
    const start = this.next()
    const target = this.SUBRULE(this.target)
    const index = this.OPTION(() => this.SUBRULE(this.indexHint)) ?? null
    return { ...target, index, span: this.from(start) }
  })

  /** SET and its list. */
  private readonly assignments: ParserMethod<[], Assignment[]> = this.rule('assignments', () => {
    const set: Assignment[] = []
    this.CONSUME(K.SET)
    this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => {
      const start = this.next()
      const columns = this.OR<Name | Name[]>([
        { ALT: () => this.SUBRULE(this.nameList) },
        { ALT: () => this.SUBRULE(this.name) },
      ])
      this.CONSUME(Equal)
      const value = this.SUBRULE(this.expr)
      const row = Array.isArray(columns)
      set.push({ kind: 'assignment', row, columns: row ? columns : [columns], value, span: this.from(start) })
    } })
    return set
  })

  private readonly returning: ParserMethod<[], Returning> = this.rule('returning', () => {
    this.CONSUME(K.RETURNING)
    return this.SUBRULE(this.resultColumns)
  })

  private readonly orResolution: ParserMethod<[], Resolution> = this.rule('orResolution', () => {
    this.CONSUME(K.OR)
    return this.SUBRULE(this.resolution)
  })

  readonly resolution: ParserMethod<[], Resolution> = this.rule('resolution', () => this.OR<Resolution>([
    { ALT: () => (this.CONSUME(K.ROLLBACK), 'rollback') },
    { ALT: () => (this.CONSUME(K.ABORT), 'abort') },
    { ALT: () => (this.CONSUME(K.FAIL), 'fail') },
    { ALT: () => (this.CONSUME(K.IGNORE), 'ignore') },
    { ALT: () => (this.CONSUME(K.REPLACE), 'replace') },
  ]))
}

/** ON CONFLICT without columns ends the list. */
const isCatchAll = (upsert: Upsert | undefined): boolean => upsert !== undefined && upsert.columns.length === 0
