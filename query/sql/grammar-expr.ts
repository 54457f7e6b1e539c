/** Expressions: the `expr` part of SQLite's grammar. Precedence is folded in `fold.ts`. */
import type { IToken, ParserMethod, TokenType } from 'chevrotain'
import { SealError } from '../../engine/errors.js'
import { MAX_EXPRESSION_DEPTH } from '../../engine/limits.js'
import type {
  BinaryOperator, Call, Case, Cast, ColumnRef, CurrentTime, Exists, Expr, In, Literal, Name, Parameter, Raise, Select,
  SignedNumber, TypeName, When,
} from './ast.js'
import { WindowGrammar } from './grammar-window.js'
import { COLLATE, EQUALITY } from './precedence.js'
import {
  BinaryOperatorToken, Blob, Comma, CurrentTimeToken, Dot, Idj, Ids, Integer, K, LikeToken, LParen, Minus, Nm, NumberToken,
  PlainLiteral, Plus, PrefixToken, Real, RParen, Star, Text, Variable, VOCABULARY,
} from './tokens.js'

/** A binary operator by its token type. */
const OPERATORS = new Map<TokenType, BinaryOperator>(VOCABULARY.flatMap((type) => {
  if (type.CATEGORIES?.includes(BinaryOperatorToken) !== true) return []
  const text = typeof type.PATTERN === 'string' ? type.PATTERN : type.name.toLowerCase()
  return [[type, (text === '==' ? '=' : text === '<>' ? '!=' : text) as BinaryOperator]]
}))

export abstract class ExprGrammar extends WindowGrammar {
  abstract readonly select: ParserMethod<[], Select>
  /** A table, with arguments or without, as the right side of IN. */
  abstract readonly inTable: ParserMethod<[], In['set']>

  readonly expr: ParserMethod<[], Expr> = this.rule('expr', () => {
    this.descend()
    const outer = this.deepest
    this.deepest = 0
    const mark = this.fold.open()
    this.SUBRULE(this.operand)
    this.MANY(() => this.OR(this.operators))
    if (this.RECORDING_PHASE) return NOTHING
    const result = this.fold.close(mark)
    if (result === null) throw this.fail(['AND'])
    if (result.height > MAX_EXPRESSION_DEPTH) {
      throw new SealError('sql-limit', `Expression tree is too large (maximum depth ${MAX_EXPRESSION_DEPTH})`, { limit: MAX_EXPRESSION_DEPTH })
    }
    this.deepest = Math.max(outer, result.height)
    this.ascend()
    return result.expr
  })

  readonly exprList: ParserMethod<[], Expr[]> = this.rule('exprList', () => {
    const items: Expr[] = []
    this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => items.push(this.SUBRULE(this.expr)) })
    return items
  })

  /** Prefix operators and a primary, handed to the fold. */
  private readonly operand: ParserMethod<[], void> = this.rule('operand', () => {
    this.MANY(() => {
      const token = this.CONSUME(PrefixToken)
      this.ACTION(() => this.fold.prefix(token.tokenType === K.NOT ? 'not' : token.image as '-' | '+' | '~', token.startOffset))
    })
    const start = this.next(), before = this.deepest
    this.deepest = 0
    const expr = this.OR(this.primaries)
    this.ACTION(() => this.fold.operand(expr, start, this.from(start).end, this.deepest + 1))
    this.deepest = before
  })

  private readonly primaries: { ALT: () => Expr }[] = [
    { ALT: () => this.literalOf(this.CONSUME(PlainLiteral)) },
    { ALT: () => this.SUBRULE(this.parameter) },
    { ALT: () => this.currentTimeOf(this.CONSUME(CurrentTimeToken)) },
    { ALT: () => this.SUBRULE(this.cast) },
    { ALT: () => this.SUBRULE(this.raise) },
    { ALT: () => this.SUBRULE(this.columnOrCall) },
    { ALT: () => this.SUBRULE(this.textOrColumn) },
    { ALT: () => this.SUBRULE(this.bracket) },
    { ALT: () => this.SUBRULE(this.exists) },
    { ALT: () => this.SUBRULE(this.caseOf) },
  ]

  private readonly operators: { ALT: () => void }[] = [
    { ALT: () => {
      const token = this.CONSUME(BinaryOperatorToken)
      this.ACTION(() => this.fold.binary(OPERATORS.get(token.tokenType) as BinaryOperator))
      this.SUBRULE2(this.operand)
    } },
    { ALT: () => this.SUBRULE(this.isTail) },
    { ALT: () => this.SUBRULE(this.comparisonTail, { ARGS: [false] }) },
    { ALT: () => {
      this.CONSUME(K.NOT)
      this.OR2([
        { ALT: () => this.SUBRULE2(this.comparisonTail, { ARGS: [true] }) },
        { ALT: () => {
          this.CONSUME(K.NULL)
          this.nullTest(true)
        } },
      ])
    } },
    { ALT: () => {
      this.CONSUME(K.ISNULL)
      this.nullTest(false)
    } },
    { ALT: () => {
      this.CONSUME(K.NOTNULL)
      this.nullTest(true)
    } },
    { ALT: () => {
      this.CONSUME(K.COLLATE)
      const collation = this.nameOf(this.CONSUME(Ids))
      this.postfix(COLLATE, 0, (operand, span) => ({ kind: 'collate', operand, collation, span }))
    } },
    { ALT: () => {
      const token = this.CONSUME(K.ESCAPE)
      this.ACTION(() => {
        if (!this.fold.escape()) throw this.fail([], token)
      })
      this.SUBRULE3(this.operand)
    } },
  ]

  private readonly isTail: ParserMethod<[], void> = this.rule('isTail', () => {
    this.CONSUME(K.IS)
    const not = this.OPTION(() => this.CONSUME(K.NOT)) !== undefined
    const distinct = this.OPTION2(() => (this.CONSUME(K.DISTINCT), this.CONSUME(K.FROM))) !== undefined
    this.ACTION(() => this.fold.binary(distinct ? (not ? 'is not distinct from' : 'is distinct from') : not ? 'is not' : 'is'))
    this.SUBRULE(this.operand)
  })

  /** What may follow `x` or `x NOT`: LIKE and kin, BETWEEN, IN. */
  private readonly comparisonTail: ParserMethod<[boolean], void> = this.rule('comparisonTail', (not: boolean) => {
    this.OR([
      { ALT: () => {
        const token = this.CONSUME(LikeToken)
        this.ACTION(() => this.fold.like(this.word(token), not))
        this.SUBRULE(this.operand)
      } },
      { ALT: () => {
        this.CONSUME(K.BETWEEN)
        this.ACTION(() => this.fold.between(not))
        this.SUBRULE2(this.operand)
      } },
      { ALT: () => {
        this.CONSUME(K.IN)
        const before = this.deepest
        this.deepest = 0
        const set = this.SUBRULE(this.inSet)
        this.postfix(EQUALITY, this.deepest, (operand, span) => ({ kind: 'in', operand, not, set, span }))
        this.deepest = before
      } },
    ])
  })

  private readonly inSet: ParserMethod<[], In['set']> = this.rule('inSet', () => this.OR<In['set']>([
    { ALT: () => {
      const start = this.next()
      this.CONSUME(LParen)
      const inner = this.OR2<Select | Expr[]>([
        { ALT: () => this.SUBRULE(this.select) },
        { ALT: () => {
          const items: Expr[] = []
          this.MANY_SEP({ SEP: Comma, DEF: () => items.push(this.SUBRULE(this.expr)) })
          return items
        } },
      ])
      this.CONSUME(RParen)
      return Array.isArray(inner) ? { kind: 'list', items: inner, span: this.from(start) }
        : { kind: 'subquery', select: inner, span: this.from(start) }
    } },
    { ALT: () => this.SUBRULE(this.inTable) },
  ]))

  // ---- primaries ---------------------------------------------------------------------------------------------------------------

  readonly parameter: ParserMethod<[], Parameter> = this.rule('parameter', () => {
    const start = this.next()
    const name = this.CONSUME(Variable).image
    return { kind: 'parameter', name, number: this.parameterNumber(name), span: this.from(start) }
  })

  /** `name`, `t.name`, `s.t.name`, `f(…)`. */
  private readonly columnOrCall: ParserMethod<[], Expr> = this.rule('columnOrCall', () => {
    const start = this.next()
    const name = this.nameOf(this.CONSUME(Idj))
    const more = this.OPTION(() => this.OR<Expr>([
      { ALT: () => this.SUBRULE(this.callTail, { ARGS: [start, name] }) },
      { ALT: () => this.SUBRULE(this.columnTail, { ARGS: [start, name] }) },
    ]))
    return more ?? { kind: 'column', schema: null, table: null, name, span: this.from(start) }
  })

  private readonly textOrColumn: ParserMethod<[], Expr> = this.rule('textOrColumn', () => {
    const start = this.next()
    const token = this.CONSUME(Text)
    const column = this.OPTION(() => this.SUBRULE(this.columnTail, { ARGS: [start, this.nameOf(token)] }))
    return column ?? this.literalOf(token)
  })

  private readonly columnTail: ParserMethod<[number, Name], ColumnRef> = this.rule('columnTail', (start: number, first: Name) => {
    this.CONSUME(Dot)
    const second = this.nameOf(this.CONSUME(Nm))
    const third = this.OPTION(() => {
      this.CONSUME2(Dot)
      return this.nameOf(this.CONSUME2(Nm))
    })
    return third === undefined ? { kind: 'column', schema: null, table: first, name: second, span: this.from(start) }
      : { kind: 'column', schema: first, table: second, name: third, span: this.from(start) }
  })

  private readonly callTail: ParserMethod<[number, Name], Call> = this.rule('callTail', (start: number, name: Name) => {
    this.CONSUME(LParen)
    const star = this.OPTION(() => this.CONSUME(Star)) !== undefined
    const quantifier = this.OPTION2({ GATE: () => !star, DEF: () => this.SUBRULE(this.quantifier) }) ?? null
    const args = this.OPTION3({ GATE: () => !star, DEF: () => this.SUBRULE(this.exprList) }) ?? []
    const orderBy = this.OPTION4({ GATE: () => !star, DEF: () => this.SUBRULE(this.orderBy) }) ?? []
    this.CONSUME(RParen)
    const filter = this.OPTION5(() => this.SUBRULE(this.filter)) ?? null
    const over = this.OPTION6(() => this.SUBRULE(this.over)) ?? null
    return { kind: 'call', name, quantifier, star, args, orderBy, filter, over, span: this.from(start) }
  })

  readonly quantifier: ParserMethod<[], 'distinct' | 'all'> = this.rule('quantifier', () => this.OR<'distinct' | 'all'>([
    { ALT: () => (this.CONSUME(K.DISTINCT), 'distinct') },
    { ALT: () => (this.CONSUME(K.ALL), 'all') },
  ]))

  private readonly bracket: ParserMethod<[], Expr> = this.rule('bracket', () => {
    const start = this.next()
    this.CONSUME(LParen)
    const inner = this.OR<Select | Expr[]>([
      { ALT: () => this.SUBRULE(this.select) },
      { ALT: () => this.SUBRULE(this.exprList) },
    ])
    this.CONSUME(RParen)
    if (!Array.isArray(inner)) return { kind: 'subquery', select: inner, span: this.from(start) }
    return inner.length === 1 ? inner[0] as Expr : { kind: 'row', items: inner, span: this.from(start) }
  })

  private readonly exists: ParserMethod<[], Exists> = this.rule('exists', () => {
    const start = this.next()
    this.CONSUME(K.EXISTS)
    this.CONSUME(LParen)
    const select = this.SUBRULE(this.select)
    this.CONSUME(RParen)
    return { kind: 'exists', select, span: this.from(start) }
  })

  private readonly cast: ParserMethod<[], Cast> = this.rule('cast', () => {
    const start = this.next()
    this.CONSUME(K.CAST)
    this.CONSUME(LParen)
    const operand = this.SUBRULE(this.expr)
    this.CONSUME(K.AS)
    const typeStart = this.next()
    const type: TypeName = this.OPTION(() => this.SUBRULE(this.typeName))
      ?? { kind: 'type-name', words: [], sizes: [], span: { start: typeStart, end: typeStart } }
    this.CONSUME(RParen)
    return { kind: 'cast', operand, type, span: this.from(start) }
  })

  readonly typeName: ParserMethod<[], TypeName> = this.rule('typeName', () => {
    const start = this.next()
    const words: Name[] = [], sizes: SignedNumber[] = []
    this.AT_LEAST_ONE({ GATE: () => !this.endsType(), DEF: () => words.push(this.nameOf(this.CONSUME(Ids))) })
    this.OPTION(() => {
      this.CONSUME(LParen)
      sizes.push(this.SUBRULE(this.signedNumber))
      this.OPTION2(() => {
        this.CONSUME(Comma)
        sizes.push(this.SUBRULE2(this.signedNumber))
      })
      this.CONSUME(RParen)
    })
    return { kind: 'type-name', words, sizes, span: this.from(start) }
  })

  readonly signedNumber: ParserMethod<[], SignedNumber> = this.rule('signedNumber', () => {
    const start = this.next()
    const sign = this.OPTION(() => this.OR([{ ALT: () => this.CONSUME(Plus) }, { ALT: () => this.CONSUME(Minus) }]))
    const value = this.literalOf(this.CONSUME(NumberToken))
    return { kind: 'signed-number', sign: (sign?.image ?? '') as SignedNumber['sign'], value, span: this.from(start) }
  })

  private readonly caseOf: ParserMethod<[], Case> = this.rule('caseOf', () => {
    const start = this.next()
    this.CONSUME(K.CASE)
    const operand = this.OPTION(() => this.SUBRULE(this.expr)) ?? null
    const whens: When[] = []
    this.AT_LEAST_ONE(() => {
      const whenStart = this.next()
      this.CONSUME(K.WHEN)
      const condition = this.SUBRULE2(this.expr)
      this.CONSUME(K.THEN)
      whens.push({ kind: 'when', condition, result: this.SUBRULE3(this.expr), span: this.from(whenStart) })
    })
    const otherwise = this.OPTION2(() => {
      this.CONSUME(K.ELSE)
      return this.SUBRULE4(this.expr)
    }) ?? null
    this.CONSUME(K.END)
    return { kind: 'case', operand, whens, otherwise, span: this.from(start) }
  })

  private readonly raise: ParserMethod<[], Raise> = this.rule('raise', () => {
    const start = this.next()
    this.CONSUME(K.RAISE)
    this.CONSUME(LParen)
    const action = this.OR([
      { ALT: () => this.CONSUME(K.IGNORE) }, { ALT: () => this.CONSUME(K.ROLLBACK) }, { ALT: () => this.CONSUME(K.ABORT) },
      { ALT: () => this.CONSUME(K.FAIL) },
    ])
    const message = this.OPTION({ GATE: () => action.tokenType !== K.IGNORE, DEF: () => {
      this.CONSUME(Comma)
      return this.SUBRULE(this.expr)
    } }) ?? null
    this.CONSUME(RParen)
    this.ACTION(() => {
      if (message === null && action.tokenType !== K.IGNORE) throw this.fail(['","'], this.LA(0))
    })
    return { kind: 'raise', action: this.word(action), message, span: this.from(start) }
  })

  // ---- helpers -----------------------------------------------------------------------------------------------------------------

  protected literalOf(token: IToken): Literal {
    const { tokenType, image, startOffset } = token
    const type = tokenType === Integer ? 'integer' : tokenType === Real ? 'real' : tokenType === Text ? 'text' : tokenType === Blob ? 'blob' : 'null'
    return { kind: 'literal', type, raw: type === 'null' ? 'NULL' : image, span: { start: startOffset, end: startOffset + image.length } }
  }

  protected currentTimeOf(token: IToken): CurrentTime {
    const span = { start: token.startOffset, end: token.startOffset + token.image.length }
    return { kind: 'current-time', what: token.image.slice(8).toLowerCase() as CurrentTime['what'], span }
  }

  private nullTest(not: boolean): void {
    this.postfix(EQUALITY, 0, (operand, span) => ({ kind: 'null-test', operand, not, span }))
  }

  private postfix(precedence: number, height: number, make: (operand: Expr, span: { start: number, end: number }) => Expr): void {
    if (this.RECORDING_PHASE) return
    const end = this.from(0).end
    this.fold.postfix(precedence, end, height, (operand, start) => make(operand, { start, end }))
  }

  /** A word that begins a column constraint though it could be a type's: ours, and GENERATED ALWAYS AS. */
  protected endsType(): boolean {
    const type = this.at(1)
    return type === K.PLAINTEXT || type === K.BLIND || (type === K.GENERATED && this.at(2) === K.ALWAYS && this.at(3) === K.AS)
  }
}

/** Stands for a result while chevrotain records the grammar; never seen. */
const NOTHING: Expr = { kind: 'literal', type: 'null', raw: '', span: { start: 0, end: 0 } }
