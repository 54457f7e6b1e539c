/** The statements, scripts, and the one parser, made when it is first needed. */
import type { IToken, ParserMethod } from 'chevrotain'
import type {
  Analyze, Attach, Begin, Commit, Detach, Explain, Name, Pragma, QualifiedName, Reindex, Release, Rollback, Savepoint, SignedNumber, Statement,
  Vacuum,
} from './ast.js'
import { SchemaGrammar } from './grammar-schema.js'
import { Equal, K, LParen, Nm, RParen, Semi } from './tokens.js'

type Plain = Exclude<Statement, Explain>

export class SqlGrammar extends SchemaGrammar {
  /** With `validate`, chevrotain looks for ambiguities in the grammar itself: for its tests. */
  constructor(validate = false) {
    super(validate)
    this.performSelfAnalysis()
  }

  /** Statements separated by semicolons, any of them empty. */
  readonly script: ParserMethod<[], Statement[]> = this.rule('script', () => {
    const statements: Statement[] = []
    this.OPTION(() => statements.push(this.SUBRULE(this.statement)))
    this.MANY(() => {
      this.CONSUME(Semi)
      this.OPTION2(() => statements.push(this.SUBRULE2(this.statement)))
    })
    return statements
  })

  readonly statement: ParserMethod<[], Statement> = this.rule('statement', () => {
    this.begin()
    return this.OR<Statement>([
      { ALT: () => this.SUBRULE(this.explain) },
      { ALT: () => this.SUBRULE(this.plain) },
    ])
  })

  private readonly explain: ParserMethod<[], Explain> = this.rule('explain', () => {
    const start = this.next()
    this.CONSUME(K.EXPLAIN)
    const mode = this.OPTION(() => this.OR<'query plan' | 'verified'>([
      { ALT: () => (this.CONSUME(K.QUERY), this.CONSUME(K.PLAN), 'query plan') },
      { ALT: () => (this.CONSUME(K.VERIFIED), 'verified') },
    ])) ?? 'opcodes'
    return { kind: 'explain', mode, statement: this.SUBRULE(this.plain), span: this.from(start) }
  })

  private readonly plain: ParserMethod<[], Plain> = this.rule('plain', () => this.OR<Plain>(this.statements))

  private readonly statements: { ALT: () => Plain }[] = [
    { ALT: () => this.SUBRULE(this.selectBody, { ARGS: [this.next(), null] }) },
    { ALT: () => this.SUBRULE(this.insert, { ARGS: [this.next(), null] }) },
    { ALT: () => this.SUBRULE(this.update, { ARGS: [this.next(), null] }) },
    { ALT: () => this.SUBRULE(this.delete, { ARGS: [this.next(), null] }) },
    { ALT: () => this.SUBRULE(this.withStatement) },
    { ALT: () => this.SUBRULE(this.create) },
    { ALT: () => this.SUBRULE(this.drop) },
    { ALT: () => this.SUBRULE(this.alter) },
    { ALT: () => this.SUBRULE(this.beginTransaction) },
    { ALT: () => this.SUBRULE(this.commit) },
    { ALT: () => this.SUBRULE(this.rollback) },
    { ALT: () => this.SUBRULE(this.savepoint) },
    { ALT: () => this.SUBRULE(this.release) },
    { ALT: () => this.SUBRULE(this.pragma) },
    { ALT: () => this.SUBRULE(this.attach) },
    { ALT: () => this.SUBRULE(this.detach) },
    { ALT: () => this.SUBRULE(this.reindex) },
    { ALT: () => this.SUBRULE(this.analyze) },
    { ALT: () => this.SUBRULE(this.vacuum) },
  ]

  private readonly withStatement: ParserMethod<[], Plain> = this.rule('withStatement', () => {
    const start = this.next()
    const ctes = this.SUBRULE(this.with)
    return this.OR<Plain>([
      { ALT: () => this.SUBRULE(this.selectBody, { ARGS: [start, ctes] }) },
      { ALT: () => this.SUBRULE(this.insert, { ARGS: [start, ctes] }) },
      { ALT: () => this.SUBRULE(this.update, { ARGS: [start, ctes] }) },
      { ALT: () => this.SUBRULE(this.delete, { ARGS: [start, ctes] }) },
    ])
  })

  private readonly beginTransaction: ParserMethod<[], Begin> = this.rule('beginTransaction', () => {
    const start = this.next()
    this.CONSUME(K.BEGIN)
    const mode = this.OPTION(() => this.OR<NonNullable<Begin['mode']>>([
      { ALT: () => (this.CONSUME(K.DEFERRED), 'deferred') },
      { ALT: () => (this.CONSUME(K.IMMEDIATE), 'immediate') },
      { ALT: () => (this.CONSUME(K.EXCLUSIVE), 'exclusive') },
    ])) ?? null
    this.OPTION2(() => this.SUBRULE(this.transactionName))
    return { kind: 'begin', mode, span: this.from(start) }
  })

  private readonly commit: ParserMethod<[], Commit> = this.rule('commit', () => {
    const start = this.next()
    this.OR([{ ALT: () => this.CONSUME(K.COMMIT) }, { ALT: () => this.CONSUME(K.END) }])
    this.OPTION(() => this.SUBRULE(this.transactionName))
    return { kind: 'commit', span: this.from(start) }
  })

  private readonly rollback: ParserMethod<[], Rollback> = this.rule('rollback', () => {
    const start = this.next()
    this.CONSUME(K.ROLLBACK)
    this.OPTION(() => this.SUBRULE(this.transactionName))
    const to = this.OPTION2(() => {
      this.CONSUME(K.TO)
      this.OPTION3(() => this.CONSUME(K.SAVEPOINT))
      return this.SUBRULE(this.name)
    }) ?? null
    return { kind: 'rollback', to, span: this.from(start) }
  })

  /** TRANSACTION and a name that SQLite reads and forgets. */
  private readonly transactionName: ParserMethod<[], void> = this.rule('transactionName', () => {
    this.CONSUME(K.TRANSACTION)
    this.OPTION(() => this.SUBRULE(this.name))
  })

  private readonly savepoint: ParserMethod<[], Savepoint> = this.rule('savepoint', () => {
    const start = this.next()
    this.CONSUME(K.SAVEPOINT)
    return { kind: 'savepoint', name: this.SUBRULE(this.name), span: this.from(start) }
  })

  private readonly release: ParserMethod<[], Release> = this.rule('release', () => {
    const start = this.next()
    this.CONSUME(K.RELEASE)
    this.OPTION(() => this.CONSUME(K.SAVEPOINT))
    return { kind: 'release', name: this.SUBRULE(this.name), span: this.from(start) }
  })

  private readonly pragma: ParserMethod<[], Pragma> = this.rule('pragma', () => {
    const start = this.next()
    this.CONSUME(K.PRAGMA)
    const { schema, name } = this.SUBRULE(this.qualifiedName)
    const setting = this.OPTION(() => this.OR<Pick<Pragma, 'form' | 'value'>>([
      { ALT: () => (this.CONSUME(Equal), { form: 'assign', value: this.SUBRULE(this.pragmaValue) }) },
      { ALT: () => {
        this.CONSUME(LParen)
        const value = this.SUBRULE2(this.pragmaValue)
        this.CONSUME(RParen)
        return { form: 'call', value }
      } },
    ])) ?? { form: 'get', value: null }
    return { kind: 'pragma', schema, name, ...setting, span: this.from(start) }
  })

  private readonly pragmaValue: ParserMethod<[], Name | SignedNumber> = this.rule('pragmaValue', () => this.OR<Name | SignedNumber>([
    { ALT: () => this.SUBRULE(this.signedNumber) },
    { ALT: () => this.nameOf(this.CONSUME(Nm)) },
    { ALT: () => this.nameOf(this.CONSUME(K.ON)) },
    { ALT: () => this.nameOf(this.CONSUME(K.DELETE)) },
    { ALT: () => this.nameOf(this.CONSUME(K.DEFAULT)) },
  ]))

  private readonly attach: ParserMethod<[], Attach> = this.rule('attach', () => {
    const start = this.next()
    this.CONSUME(K.ATTACH)
    this.OPTION(() => this.CONSUME(K.DATABASE))
    const file = this.SUBRULE(this.expr)
    this.CONSUME(K.AS)
    const schema = this.SUBRULE2(this.expr)
    const key = this.OPTION2(() => (this.CONSUME(K.KEY), this.SUBRULE3(this.expr))) ?? null
    return { kind: 'attach', file, schema, key, span: this.from(start) }
  })

  private readonly detach: ParserMethod<[], Detach> = this.rule('detach', () => {
    const start = this.next()
    this.CONSUME(K.DETACH)
    this.OPTION(() => this.CONSUME(K.DATABASE))
    return { kind: 'detach', schema: this.SUBRULE(this.expr), span: this.from(start) }
  })

  private readonly reindex: ParserMethod<[], Reindex> = this.rule('reindex', () => {
    const start = this.next()
    this.CONSUME(K.REINDEX)
    const name: QualifiedName | null = this.OPTION(() => this.SUBRULE(this.qualifiedName)) ?? null
    return { kind: 'reindex', name, span: this.from(start) }
  })

  private readonly analyze: ParserMethod<[], Analyze> = this.rule('analyze', () => {
    const start = this.next()
    this.CONSUME(K.ANALYZE)
    const name: QualifiedName | null = this.OPTION(() => this.SUBRULE(this.qualifiedName)) ?? null
    return { kind: 'analyze', name, span: this.from(start) }
  })

  private readonly vacuum: ParserMethod<[], Vacuum> = this.rule('vacuum', () => {
    const start = this.next()
    this.CONSUME(K.VACUUM)
    const schema = this.OPTION(() => this.SUBRULE(this.name)) ?? null
    const into = this.OPTION2(() => (this.CONSUME(K.INTO), this.SUBRULE(this.expr))) ?? null
    return { kind: 'vacuum', schema, into, span: this.from(start) }
  })

  /** State that a statement, or one that failed half-way before it, must not hand on. */
  private begin(): void {
    this.forgetParameters()
    this.inTrigger = false
  }
}

let parser: SqlGrammar | undefined

/** The parser, loaded with a text. One per process: parsing is synchronous. */
export function grammarFor(text: string, tokens: IToken[]): SqlGrammar {
  parser ??= new SqlGrammar()
  parser.load(text, tokens)
  return parser
}
