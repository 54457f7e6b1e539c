/** ORDER BY, and what follows a function: FILTER, OVER, windows and their frames. */
import type { ParserMethod, TokenType } from 'chevrotain'
import type { Expr, Frame, FrameBound, Name, OrderTerm, WindowSpec } from './ast.js'
import { GrammarBase } from './grammar-base.js'
import { Comma, K, LParen, RParen } from './tokens.js'

export abstract class WindowGrammar extends GrammarBase {
  abstract readonly expr: ParserMethod<[], Expr>
  abstract readonly exprList: ParserMethod<[], Expr[]>

  readonly orderBy: ParserMethod<[], OrderTerm[]> = this.rule('orderBy', () => {
    this.CONSUME(K.ORDER)
    this.CONSUME(K.BY)
    return this.SUBRULE(this.orderTerms)
  })

  readonly orderTerms: ParserMethod<[], OrderTerm[]> = this.rule('orderTerms', () => {
    const terms: OrderTerm[] = []
    this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => {
      const start = this.next()
      const expr = this.SUBRULE(this.expr)
      const direction = this.OPTION(() => this.SUBRULE(this.direction)) ?? null
      const nulls = this.OPTION2(() => {
        this.CONSUME(K.NULLS)
        return this.OR<'first' | 'last'>([
          { ALT: () => (this.CONSUME(K.FIRST), 'first') },
          { ALT: () => (this.CONSUME(K.LAST), 'last') },
        ])
      }) ?? null
      terms.push({ kind: 'order-term', expr, direction, nulls, span: this.from(start) })
    } })
    return terms
  })

  readonly direction: ParserMethod<[], 'asc' | 'desc'> = this.rule('direction', () => this.OR<'asc' | 'desc'>([
    { ALT: () => (this.CONSUME(K.ASC), 'asc') },
    { ALT: () => (this.CONSUME(K.DESC), 'desc') },
  ]))

  protected readonly filter: ParserMethod<[], Expr> = this.rule('filter', () => {
    this.CONSUME(K.FILTER)
    this.CONSUME(LParen)
    this.CONSUME(K.WHERE)
    const expr = this.SUBRULE(this.expr)
    this.CONSUME(RParen)
    return expr
  })

  protected readonly over: ParserMethod<[], Name | WindowSpec> = this.rule('over', () => {
    this.CONSUME(K.OVER)
    return this.OR<Name | WindowSpec>([
      { ALT: () => this.SUBRULE(this.name) },
      { ALT: () => this.SUBRULE(this.window) },
    ])
  })

  readonly window: ParserMethod<[], WindowSpec> = this.rule('window', () => {
    const start = this.next()
    this.CONSUME(LParen)
    const base = this.OPTION({ GATE: () => !FRAME_WORDS.has(this.at(1)) && this.at(1) !== K.PARTITION, DEF: () => this.SUBRULE(this.name) }) ?? null
    const partitionBy = this.OPTION2(() => {
      this.CONSUME(K.PARTITION)
      this.CONSUME(K.BY)
      return this.SUBRULE(this.exprList)
    }) ?? []
    const orderBy = this.OPTION3(() => this.SUBRULE(this.orderBy)) ?? []
    const frame = this.OPTION4(() => this.SUBRULE(this.frame)) ?? null
    this.CONSUME(RParen)
    return { kind: 'window', base, partitionBy, orderBy, frame, span: this.from(start) }
  })

  private readonly frame: ParserMethod<[], Frame> = this.rule('frame', () => {
    const start = this.next()
    const unit = this.OR([{ ALT: () => this.CONSUME(K.ROWS) }, { ALT: () => this.CONSUME(K.RANGE) }, { ALT: () => this.CONSUME(K.GROUPS) }])
    const between = this.OPTION(() => this.CONSUME(K.BETWEEN)) !== undefined
    const from = this.SUBRULE(this.frameBound)
    const to = this.OPTION2({ GATE: () => between, DEF: () => (this.CONSUME(K.AND), this.SUBRULE2(this.frameBound)) }) ?? null
    this.ACTION(() => {
      if (between && to === null) throw this.fail(['AND'])
    })
    const exclude = this.OPTION3(() => {
      this.CONSUME(K.EXCLUDE)
      return this.OR2<NonNullable<Frame['exclude']>>([
        { ALT: () => (this.CONSUME(K.NO), this.CONSUME(K.OTHERS), 'no others') },
        { ALT: () => (this.CONSUME(K.CURRENT), this.CONSUME(K.ROW), 'current row') },
        { ALT: () => (this.CONSUME(K.GROUP), 'group') },
        { ALT: () => (this.CONSUME(K.TIES), 'ties') },
      ])
    }) ?? null
    return { kind: 'frame', unit: this.word(unit), from, to, exclude, span: this.from(start) }
  })

  private readonly frameBound: ParserMethod<[], FrameBound> = this.rule('frameBound', () => {
    const start = this.next()
    const offset = this.OR<Expr | 'unbounded' | null>([
      { ALT: () => (this.CONSUME(K.UNBOUNDED), 'unbounded') },
      { ALT: () => (this.CONSUME(K.CURRENT), this.CONSUME(K.ROW), null) },
      { ALT: () => this.SUBRULE(this.expr) },
    ])
    const side = this.OPTION({ GATE: () => offset !== null, DEF: () => this.OR2<'preceding' | 'following'>([
      { ALT: () => (this.CONSUME(K.PRECEDING), 'preceding') },
      { ALT: () => (this.CONSUME(K.FOLLOWING), 'following') },
    ]) })
    this.ACTION(() => {
      if (offset !== null && side === undefined) throw this.fail(['PRECEDING', 'FOLLOWING'])
    })
    const type = side === undefined ? 'current row' : offset === 'unbounded' ? `unbounded ${side}` as const : side
    return { kind: 'frame-bound', type, offset: offset === 'unbounded' ? null : offset, span: this.from(start) }
  })
}

const FRAME_WORDS = new Set<TokenType>([K.ROWS, K.RANGE, K.GROUPS])
