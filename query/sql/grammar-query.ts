/** Queries: SELECT, VALUES, compounds, WITH, and everything in FROM. */
import type { IToken, ParserMethod } from 'chevrotain'
import type {
  CompoundOperator, Cte, Expr, From, Group, Derived, IndexHint, Join, Limit, Literal, Name, NamedWindow, Parameter, ResultColumn, Select,
  SelectCore, Source, Star as StarColumn, TableRef, Values, With, Row,
} from './ast.js'
import { ExprGrammar } from './grammar-expr.js'
import { Comma, Dot, Ids, Integer, JoinWord, K, LParen, Nm, RParen, Star, Variable } from './tokens.js'

export abstract class QueryGrammar extends ExprGrammar {
  readonly select: ParserMethod<[], Select> = this.rule('select', () => {
    const start = this.next()
    const ctes = this.OPTION(() => this.SUBRULE(this.with)) ?? null
    return this.SUBRULE(this.selectBody, { ARGS: [start, ctes] })
  })

  /** A query after its WITH. */
  readonly selectBody: ParserMethod<[number, With | null], Select> = this.rule('selectBody', (start: number, ctes: With | null) => {
    this.descend()
    const cores: (SelectCore | Values)[] = [], operators: CompoundOperator[] = []
    cores.push(this.SUBRULE(this.core))
    this.MANY(() => {
      operators.push(this.SUBRULE(this.compoundOperator))
      cores.push(this.SUBRULE2(this.core))
    })
    // As in SQLite, VALUES takes neither ORDER BY nor LIMIT.
    const plain = cores[cores.length - 1]?.kind !== 'values'
    const orderBy = this.OPTION({ GATE: () => plain, DEF: () => this.SUBRULE(this.orderBy) }) ?? []
    const limit = this.OPTION2({ GATE: () => plain, DEF: () => this.SUBRULE(this.limit) }) ?? null
    this.ascend()
    return { kind: 'select', with: ctes, cores, operators, orderBy, limit, span: this.from(start) }
  })

  private readonly compoundOperator: ParserMethod<[], CompoundOperator> = this.rule('compoundOperator', () => this.OR<CompoundOperator>([
    { ALT: () => {
      this.CONSUME(K.UNION)
      return this.OPTION(() => this.CONSUME(K.ALL)) === undefined ? 'union' : 'union all'
    } },
    { ALT: () => (this.CONSUME(K.INTERSECT), 'intersect') },
    { ALT: () => (this.CONSUME(K.EXCEPT), 'except') },
  ]))

  private readonly core: ParserMethod<[], SelectCore | Values> = this.rule('core', () => this.OR<SelectCore | Values>([
    { ALT: () => this.SUBRULE(this.selectCore) },
    { ALT: () => this.SUBRULE(this.values) },
  ]))

  private readonly selectCore: ParserMethod<[], SelectCore> = this.rule('selectCore', () => {
    const start = this.next()
    this.CONSUME(K.SELECT)
    const quantifier = this.OPTION(() => this.SUBRULE(this.quantifier)) ?? null
    const columns = this.SUBRULE(this.resultColumns)
    const from = this.OPTION2(() => (this.CONSUME(K.FROM), this.SUBRULE(this.sources))) ?? null
    const where = this.OPTION3(() => this.SUBRULE(this.where)) ?? null
    const groupBy = this.OPTION4(() => (this.CONSUME(K.GROUP), this.CONSUME(K.BY), this.SUBRULE(this.exprList))) ?? []
    const having = this.OPTION5(() => (this.CONSUME(K.HAVING), this.SUBRULE(this.expr))) ?? null
    const windows: NamedWindow[] = []
    this.OPTION6(() => {
      this.CONSUME(K.WINDOW)
      this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => windows.push(this.SUBRULE(this.namedWindow)) })
    })
    return { kind: 'core', quantifier, columns, from, where, groupBy, having, windows, span: this.from(start) }
  })

  private readonly values: ParserMethod<[], Values> = this.rule('values', () => {
    const start = this.next(), rows: Row[] = []
    this.CONSUME(K.VALUES)
    this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => {
      const rowStart = this.next()
      this.CONSUME(LParen)
      const items = this.SUBRULE(this.exprList)
      this.CONSUME(RParen)
      rows.push({ kind: 'row', items, span: this.from(rowStart) })
    } })
    return { kind: 'values', rows, span: this.from(start) }
  })

  readonly where: ParserMethod<[], Expr> = this.rule('where', () => {
    this.CONSUME(K.WHERE)
    return this.SUBRULE(this.expr)
  })

  readonly resultColumns: ParserMethod<[], (ResultColumn | StarColumn)[]> = this.rule('resultColumns', () => {
    const columns: (ResultColumn | StarColumn)[] = []
    this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => columns.push(this.SUBRULE(this.resultColumn)) })
    return columns
  })

  private readonly resultColumn: ParserMethod<[], ResultColumn | StarColumn> = this.rule('resultColumn', () => {
    const start = this.next()
    return this.OR<ResultColumn | StarColumn>([
      { ALT: () => (this.CONSUME(Star), { kind: 'star', table: null, span: this.from(start) }) },
      { GATE: () => this.at(2) === Dot && this.at(3) === Star, ALT: () => {
        const table = this.nameOf(this.CONSUME(Nm))
        this.CONSUME(Dot)
        this.CONSUME2(Star)
        return { kind: 'star', table, span: this.from(start) }
      } },
      { ALT: () => {
        const expr = this.SUBRULE(this.expr)
        const alias = this.OPTION(() => this.SUBRULE(this.alias)) ?? null
        return { kind: 'result', expr, alias, span: this.from(start) }
      } },
    ])
  })

  /** `AS name`, or a name that can't be mistaken for what follows. */
  private readonly alias: ParserMethod<[], Name> = this.rule('alias', () => this.OR<Name>([
    { ALT: () => (this.CONSUME(K.AS), this.nameOf(this.CONSUME(Nm))) },
    { ALT: () => this.nameOf(this.CONSUME(Ids)) },
  ]))

  private readonly namedWindow: ParserMethod<[], NamedWindow> = this.rule('namedWindow', () => {
    const start = this.next()
    const name = this.SUBRULE(this.name)
    this.CONSUME(K.AS)
    return { kind: 'named-window', name, window: this.SUBRULE(this.window), span: this.from(start) }
  })

  private readonly limit: ParserMethod<[], Limit> = this.rule('limit', () => {
    const start = this.next()
    this.CONSUME(K.LIMIT)
    const first = this.SUBRULE(this.expr)
    const offset = this.OPTION(() => this.OR<{ offset: Expr } | { count: Expr }>([
      { ALT: () => (this.CONSUME(K.OFFSET), { offset: this.SUBRULE2(this.expr) }) },
      { ALT: () => (this.CONSUME(Comma), { count: this.SUBRULE3(this.expr) }) },
    ]))
    if (offset !== undefined && 'count' in offset) return { kind: 'limit', count: offset.count, offset: first, comma: true, span: this.from(start) }
    return { kind: 'limit', count: first, offset: offset?.offset ?? null, comma: false, span: this.from(start) }
  })

  readonly with: ParserMethod<[], With> = this.rule('with', () => {
    this.descend()
    const start = this.next(), ctes: Cte[] = []
    this.CONSUME(K.WITH)
    const recursive = this.OPTION(() => this.CONSUME(K.RECURSIVE)) !== undefined
    this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => ctes.push(this.SUBRULE(this.cte)) })
    this.ascend()
    return { kind: 'with', recursive, ctes, span: this.from(start) }
  })

  private readonly cte: ParserMethod<[], Cte> = this.rule('cte', () => {
    const start = this.next()
    const name = this.SUBRULE(this.name)
    const columns = this.OPTION(() => this.SUBRULE(this.nameList)) ?? []
    this.CONSUME(K.AS)
    const not = this.OPTION2(() => this.CONSUME(K.NOT)) !== undefined
    const hint = this.OPTION3(() => this.CONSUME(K.MATERIALIZED)) !== undefined
    this.ACTION(() => {
      if (not && !hint) throw this.fail(['MATERIALIZED'])
    })
    this.CONSUME(LParen)
    const select = this.SUBRULE(this.select)
    this.CONSUME(RParen)
    return { kind: 'cte', name, columns, materialized: hint ? !not : null, select, span: this.from(start) }
  })

  /** `(a, b, …)`. */
  readonly nameList: ParserMethod<[], Name[]> = this.rule('nameList', () => {
    const names: Name[] = []
    this.CONSUME(LParen)
    this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => names.push(this.SUBRULE(this.name)) })
    this.CONSUME(RParen)
    return names
  })

  // ---- FROM --------------------------------------------------------------------------------------------------------------------

  readonly sources: ParserMethod<[], From> = this.rule('sources', () => {
    const start = this.next(), joins: Join[] = []
    const first = this.SUBRULE(this.source)
    this.MANY(() => {
      const joinStart = this.next()
      const words = this.SUBRULE(this.joinWords)
      const source = this.SUBRULE2(this.source)
      const on = this.OPTION(() => (this.CONSUME(K.ON), this.SUBRULE(this.expr))) ?? null
      const using = this.OPTION2({ GATE: () => on === null, DEF: () => (this.CONSUME(K.USING), this.SUBRULE(this.nameList)) }) ?? []
      joins.push({ kind: 'join', ...words, source, on, using, span: this.from(joinStart) })
    })
    return { kind: 'from', first, joins, span: this.from(start) }
  })

  private readonly joinWords: ParserMethod<[], Pick<Join, 'natural' | 'type'>> = this.rule('joinWords', () =>
    this.OR<Pick<Join, 'natural' | 'type'>>([
      { ALT: () => (this.CONSUME(Comma), { natural: false, type: 'comma' }) },
      { ALT: () => (this.CONSUME(K.JOIN), { natural: false, type: 'inner' }) },
      { ALT: () => {
        const words: IToken[] = []
        this.AT_LEAST_ONE(() => words.push(this.CONSUME(JoinWord)))
        this.CONSUME2(K.JOIN)
        return this.RECORDING_PHASE ? { natural: false, type: 'inner' } : this.joinOf(words)
      } },
    ]))

  private readonly source: ParserMethod<[], Source> = this.rule('source', () => this.OR<Source>([
    { ALT: () => this.SUBRULE(this.bracketSource) },
    { ALT: () => this.SUBRULE(this.table) },
  ]))

  private readonly bracketSource: ParserMethod<[], Derived | Group> = this.rule('bracketSource', () => {
    this.descend()
    const start = this.next()
    this.CONSUME(LParen)
    const inner = this.OR<Select | From>([
      { ALT: () => this.SUBRULE(this.select) },
      { ALT: () => this.SUBRULE(this.sources) },
    ])
    this.CONSUME(RParen)
    const alias = this.OPTION(() => this.SUBRULE(this.alias)) ?? null
    this.ascend()
    return inner.kind === 'select' ? { kind: 'derived', select: inner, alias, span: this.from(start) }
      : { kind: 'group', from: inner, alias, span: this.from(start) }
  })

  private readonly table: ParserMethod<[], TableRef> = this.rule('table', () => {
    const start = this.next()
    const { schema, name } = this.SUBRULE(this.qualifiedName)
    const args = this.OPTION(() => this.SUBRULE(this.tableArguments)) ?? null
    const asOf = this.OPTION2({ GATE: () => this.startsAsOf(), DEF: () => this.SUBRULE(this.asOf) }) ?? null
    const alias = this.OPTION3(() => this.SUBRULE(this.alias)) ?? null
    const index = this.OPTION4({ GATE: () => args === null, DEF: () => this.SUBRULE(this.indexHint) }) ?? null
    return { kind: 'table', schema, name, args, asOf, alias, index, span: this.from(start) }
  })

  readonly inTable: ParserMethod<[], TableRef> = this.rule('inTable', () => {
    const start = this.next()
    const { schema, name } = this.SUBRULE(this.qualifiedName)
    const args = this.OPTION(() => this.SUBRULE(this.tableArguments)) ?? null
    return { kind: 'table', schema, name, args, asOf: null, alias: null, index: null, span: this.from(start) }
  })

  /** What INSERT, UPDATE and DELETE write to: an alias needs AS. */
  readonly target: ParserMethod<[], TableRef> = this.rule('target', () => {
    const start = this.next()
    const { schema, name } = this.SUBRULE(this.qualifiedName)
    const alias = this.OPTION(() => (this.CONSUME(K.AS), this.SUBRULE(this.name))) ?? null
    return { kind: 'table', schema, name, args: null, asOf: null, alias, index: null, span: this.from(start) }
  })

  private readonly tableArguments: ParserMethod<[], Expr[]> = this.rule('tableArguments', () => {
    const args: Expr[] = []
    this.CONSUME(LParen)
    this.MANY_SEP({ SEP: Comma, DEF: () => args.push(this.SUBRULE(this.expr)) })
    this.CONSUME(RParen)
    return args
  })

  private readonly asOf: ParserMethod<[], Literal | Parameter> = this.rule('asOf', () => {
    this.CONSUME(K.AS)
    this.CONSUME(K.OF)
    return this.OR<Literal | Parameter>([
      { ALT: () => this.literalOf(this.CONSUME(Integer)) },
      { ALT: () => this.SUBRULE(this.parameter) },
    ])
  })

  readonly indexHint: ParserMethod<[], IndexHint> = this.rule('indexHint', () => {
    const start = this.next()
    const name = this.OR<Name | null>([
      { ALT: () => (this.CONSUME(K.INDEXED), this.CONSUME(K.BY), this.SUBRULE(this.name)) },
      { ALT: () => (this.CONSUME(K.NOT), this.CONSUME2(K.INDEXED), null) },
    ])
    return { kind: 'index-hint', name, span: this.from(start) }
  })

  /** `t AS OF` alone is SQLite's alias "OF"; a number or parameter after it makes it ours. */
  private startsAsOf(): boolean {
    return this.at(2) === K.OF && (this.at(3) === Integer || this.at(3) === Variable)
  }

  /** The words before JOIN in any order, as SQLite combines them. */
  private joinOf(words: readonly IToken[]): Pick<Join, 'natural' | 'type'> {
    const has = (...types: readonly IToken['tokenType'][]): boolean => words.some(({ tokenType }) => types.includes(tokenType))
    const left = has(K.LEFT, K.FULL), right = has(K.RIGHT, K.FULL), outer = left || right
    const wrong = words.length > 3 || (outer ? has(K.INNER, K.CROSS) : has(K.OUTER))
    if (wrong) throw this.fail(['LEFT JOIN', 'RIGHT JOIN', 'FULL JOIN', 'INNER JOIN', 'CROSS JOIN'], words[words.length - 1], 'unknown join type')
    const type = left && right ? 'full' : left ? 'left' : right ? 'right' : has(K.CROSS) ? 'cross' : 'inner'
    return { natural: has(K.NATURAL), type }
  }
}
