/** SQL inside of one transaction: it runs at once, in SQLite's own transaction, and is recorded in case it has to be done again. */
import { SealError } from '../engine/errors.js'
import { checkReadsOnly, type ObjectRow, type Outcome, type Prepared } from './prepared.js'
import { type Replayed } from './replay.js'
import { type Session } from './session.js'
import { textOfTemplate, type QueryOptions, type RawResult, type Result, type Sql } from './sql-api.js'
import { type Statement as Ast } from './sql/ast.js'
import { splitStatements } from './sql/parse.js'
import { type Parameters, type ParameterValue } from './values.js'

/** The argument of `transaction(fn)`; of no use once that ended. */
export class TransactionSql implements Sql {
  /** What was executed. */
  readonly texts: string[]
  /** The same with its parameters, where it may have to be executed again by somebody else than its closure: of ten thousand statements they are much to keep. */
  readonly recorded: Replayed[] | undefined
  readonly #session: Session
  readonly #signal: AbortSignal | undefined
  #ended = false

  constructor(session: Session, first: Replayed | undefined, signal: AbortSignal | undefined, isRecorded: boolean) {
    this.#session = session
    this.#signal = signal
    this.recorded = isRecorded ? [] : undefined
    this.texts = []
    if (first !== undefined) this.#record(first)
  }

  end(): void {
    this.#ended = true
  }

  query<T = ObjectRow>(text: string, parameters?: Parameters, options?: QueryOptions): Promise<Result<T>> {
    return this.#run(text, parameters, options, (prepared) => this.#session.run(prepared, parameters)) as Promise<Result<T>>
  }

  queryRaw(text: string, parameters?: Parameters, options?: QueryOptions): Promise<RawResult> {
    return this.#run(text, parameters, options, (prepared) => this.#session.runRaw(prepared, parameters))
  }

  sql<T = ObjectRow>(text: TemplateStringsArray, ...values: ParameterValue[]): Promise<Result<T>> {
    return this.query<T>(textOfTemplate(text), values)
  }

  async exec(script: string): Promise<void> {
    for (const { text } of splitStatements(script)) await this.query(text)
  }

  async #run<T>(text: string, parameters: Parameters | undefined, options: QueryOptions | undefined, run: (prepared: Prepared) => Outcome<T>): Promise<Outcome<T>> {
    this.#signal?.throwIfAborted()
    options?.signal?.throwIfAborted()
    if (this.#ended) throw new SealError('bad-argument', 'This transaction has ended.')
    const prepared = this.#session.prepare(text, options?.at)
    if (options?.readOnly === true) checkReadsOnly(prepared)
    if (prepared.special) await this.#session.provide(prepared, parameters)
    if (this.#session.space.remote !== undefined) await this.#session.fetch(prepared, parameters)
    let outcome: Outcome<T>
    try {
      const done = prepared.kind === 'control' ? savepoints<T>(this.#session, prepared.ast) : this.#session.perform(prepared, parameters, () => run(prepared))
      outcome = done instanceof Promise ? await done : done
    } catch (error) {
      if (!this.#session.wasRolledBack() && failedHalfWay(this.#session, prepared)) this.#record({ text, parameters, failed: true })
      throw error
    }
    // What failed did nothing, but for OR FAIL, and is not to be done again.
    if (prepared.kind !== 'read') this.#record({ text, parameters })
    return outcome
  }

  #record(statement: Replayed): void {
    this.texts.push(statement.text)
    this.recorded?.push(statement)
  }
}

/** What a statement that has just failed did before that is there still: SQLite counts its changes, and counts none of one that it has undone. */
export function failedHalfWay(session: Session, { kind }: Prepared): boolean {
  return kind !== 'read' && kind !== 'control' && session.db.changes > 0
}

/** Savepoints are the closure's own; the transaction is not its to end. */
export function savepoints<T>(session: Session, ast: Ast): Outcome<T> {
  if (ast.kind === 'savepoint') session.savepoint(ast.name.text)
  else if (ast.kind === 'release') session.release(ast.name.text)
  else if (ast.kind === 'rollback' && ast.to !== null) session.rollbackTo(ast.to.text)
  else throw new SealError('bad-argument', 'A transaction given as a function ends with it: return to commit, throw to roll back.')
  return { columns: [], rows: [], changes: 0, lastInsertRowid: 0, head: session.mirror.view.head }
}
