/**
 * What every part of the grammar stands on: positions, names, bounds, and errors in our own words.
 *
 * The parser is one chevrotain parser, written as a chain of classes so that each file holds one part of the language:
 * base → window → expr → query → write → constraint → schema → statement. Decisions are LL(1); where SQLite needs more, a GATE looks further. Actions run
 * as the text is read. Chevrotain also runs every rule once with dummies to learn the grammar (`RECORDING_PHASE`), so code that
 * looks inside results stands aside then.
 */
import { EmbeddedActionsParser, type IParserErrorMessageProvider, type IToken, type ParserMethod, type TokenType } from 'chevrotain'
import { SealError } from '../../engine/errors.js'
import { MAX_SQL_NESTING } from '../../engine/limits.js'
import type { Name, QualifiedName, Span } from './ast.js'
import { Fold } from './fold.js'
import { syntaxError } from './syntax-error.js'
import { Dot, Nm, Quoted, Text, VOCABULARY } from './tokens.js'

/** Chevrotain's messages carry what was expected, one label a line; `parse.ts` words the error. */
const LABELS: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: ({ expected }) => label(expected),
  buildNotAllInputParsedMessage: () => '',
  buildNoViableAltMessage: ({ expectedPathsPerAlt }) => firstLabels(expectedPathsPerAlt.flat()),
  buildEarlyExitMessage: ({ expectedIterationPaths }) => firstLabels(expectedIterationPaths),
}

export abstract class GrammarBase extends EmbeddedActionsParser {
  protected readonly fold = new Fold()
  /** The text being parsed, for errors and raw slices. */
  protected text = ''
  /** Height of the tallest expression tree since it was last set to 0. */
  protected deepest = 0
  private nesting = 0
  private parameterCount = 0
  private parameterNumbers = new Map<string, number>()

  constructor(validate: boolean) {
    super(VOCABULARY, { maxLookahead: 1, recoveryEnabled: false, skipValidations: !validate, errorMessageProvider: LABELS })
  }

  /** Begin with a new text and its tokens. */
  load(text: string, tokens: IToken[]): void {
    this.input = tokens
    this.text = text
    this.fold.reset()
    this.deepest = 0
    this.nesting = 0
    this.forgetParameters()
  }

  /** RULE, typed so that a rule's declared result is what its body is checked against. */
  protected rule<A extends unknown[], R>(name: string, body: (...args: A) => R): ParserMethod<A, R> {
    return this.RULE(name, body)
  }

  /** A keyword in lower case, as the tree spells it. */
  protected word<W extends string>(token: IToken): W {
    return (this.RECORDING_PHASE ? '' : token.image.toLowerCase()) as W
  }

  protected from(start: number): Span {
    const last = this.LA(0)
    return { start, end: last.startOffset + last.image.length }
  }

  protected next(): number {
    return this.LA(1).startOffset
  }

  protected at(distance: number): TokenType {
    return this.LA(distance).tokenType
  }

  protected fail(expected: readonly string[], token: IToken = this.LA(1), what?: string): SealError {
    return syntaxError(this.text, Number.isNaN(token.startOffset) ? undefined : token, expected, what)
  }

  /** Call around whatever can contain itself: each level costs stack. */
  protected descend(): void {
    if (++this.nesting > MAX_SQL_NESTING) {
      throw new SealError('sql-limit', `Expression or query nested too deeply (at most ${MAX_SQL_NESTING} levels).`, { limit: MAX_SQL_NESTING })
    }
  }

  protected ascend(): void {
    this.nesting--
  }

  protected nameOf(token: IToken): Name {
    const { image, tokenType, startOffset } = token
    const span = { start: startOffset, end: startOffset + image.length }
    if (tokenType !== Quoted && tokenType !== Text) return { kind: 'name', text: image, quote: '', span }
    const quote = image[0] as '"' | '[' | '`' | "'"
    const inner = image.slice(1, -1)
    return { kind: 'name', text: quote === '[' ? inner : inner.replaceAll(quote + quote, quote), quote, span }
  }

  /** SQLite's number of a parameter: `?` is one more than the largest so far, a name keeps its first number. */
  protected parameterNumber(name: string): number {
    const explicit = /^\?[0-9]+$/.test(name) ? Number(name.slice(1)) : undefined
    const known = explicit ?? (name === '?' ? undefined : this.parameterNumbers.get(name))
    const number = known ?? this.parameterCount + 1
    this.parameterCount = Math.max(this.parameterCount, number)
    if (name !== '?' && explicit === undefined) this.parameterNumbers.set(name, number)
    return number
  }

  protected forgetParameters(): void {
    this.parameterCount = 0
    if (this.parameterNumbers.size > 0) this.parameterNumbers = new Map()
  }

  readonly name: ParserMethod<[], Name> = this.rule('name', () => this.nameOf(this.CONSUME(Nm)))

  readonly qualifiedName: ParserMethod<[], QualifiedName> = this.rule('qualifiedName', () => {
    const start = this.next()
    const first = this.nameOf(this.CONSUME(Nm))
    const second = this.OPTION(() => {
      this.CONSUME(Dot)
      return this.nameOf(this.CONSUME2(Nm))
    })
    return second === undefined ? { kind: 'qualified-name', schema: null, name: first, span: this.from(start) }
      : { kind: 'qualified-name', schema: first, name: second, span: this.from(start) }
  })
}

const label = (type: TokenType): string => type.LABEL ?? type.name
const firstLabels = (paths: readonly (readonly TokenType[])[]): string =>
  [...new Set(paths.flatMap((path) => path[0] === undefined ? [] : [label(path[0])]))].join('\n')
