/**
 * The one error class of SealDB. Expected outcomes (verdicts, refusals that a caller handles) are values; everything else throws this.
 *
 * `code` is stable and closed (the table below); `family` says what to do about it; `facts` are small plain values for a program,
 * never a secret and never the content of a sealed column. Messages say what happened, what was expected and what was found.
 */

/** What the caller can do: fix the call · accept the refusal · try again · find out what happened · distrust the sender · report a bug. */
export type ErrorFamily = 'usage' | 'refused' | 'retry' | 'unknown' | 'hostile' | 'bug'

/** Every code there is, with its family; with the fact `outcome: 'unknown'`, that is `unknown`. Codes are never reused for another meaning. */
export const ERROR_CODES = {
  // codec: bytes that are not what they claim
  'bad-encoding': 'hostile', // truncated, non-canonical, trailing bytes, wrong tag
  'too-large': 'hostile', // over a named limit, found before allocation
  'bad-value': 'usage', // a value that has no encoding (NaN, unpaired surrogate, beyond 64 bits …)
  'key-too-long': 'usage', // an encoded tuple over 255 bytes
  // crypto
  'bad-key': 'hostile', // small-order, identity, non-canonical or repeated public key
  'bad-signature': 'hostile',
  'bad-proof': 'hostile', // a proof (log, state, delivery, grant, possession) that does not verify
  'open-failed': 'hostile', // AEAD authentication or commitment failed
  'no-secret': 'refused', // this device holds no secret for that epoch
  'provider-unavailable': 'usage',
  // log, state
  'out-of-scope': 'usage', // asked of a proof or partial tree that does not cover it: never "no"
  'released': 'usage', // a version of the state that was released
  'bad-checkpoint': 'hostile',
  // store
  'store-locked': 'refused', // open already, here or in another process
  'store-corrupt': 'refused', // stored bytes are damaged: facts name file and offset. Never guessed around
  'store-sealed': 'refused', // the passphrase or key for the stored secrets is missing or wrong
  'store-failed': 'retry', // disk full, I/O error: fact `outcome` says absent, or unknown: opening the store again shows what is there
  'store-closed': 'usage',
  // SQL
  'sql-syntax': 'usage', // the text is not SQL: facts line, column, offset, found, expected. Literals are named by class only
  'sql-limit': 'usage', // SQL that nests or grows beyond a named bound
  'sql-error': 'usage', // SQLite refused: facts.name, facts.result; its message may name and quote, so show it but don't log it
  'rolled-back': 'usage', // a statement ended the whole transaction (OR ROLLBACK): start over
  'unsupported-sql': 'usage', // SQL that has no meaning on shared tables (facts.what); query/README.md says why
  'bad-policy': 'usage', // a policy that verifiers could not judge: a sealed column, an unknown function (facts.what)
  'migration-conflict': 'refused', // another migration was done under that version, or a later one before it (facts.version)
  'conflict': 'retry', // others kept changing what a transaction had read, or the log refused it for good
  'out-of-memory': 'usage', // SQLite's 2 GiB, shared by all databases of the process
  'sqlite-crashed': 'bug', // SQLite trapped: nothing of it can be used any more
  // net
  'bad-frame': 'hostile', // a frame or message that is not of this protocol
  'disconnected': 'retry', // the connection ended before the answer
  'relay-refused': 'refused', // the relay answered with a refusal (facts.code)
  'unavailable': 'retry', // a file, content of one, or a part of this program that is not here and not to be had now (facts.reason)
  // space
  'bad-genesis': 'hostile', // a record that founds no space, or another than expected
  'bad-link': 'hostile', // no invitation link, or a damaged one
  'rejected': 'refused', // the state machine refuses what was to be written (facts.code, facts.detail)
  'stale-view': 'retry', // the state moved while a transaction was running
  'read-only': 'refused', // the space takes no writes: evidence, removal, or a newer protocol (facts.reason)
  'fork': 'hostile', // a history that contradicts the one verified here
  'rollback': 'hostile', // an older head than one that was verified here
  // general
  'bad-argument': 'usage',
  'unsupported-version': 'refused',
  'invariant': 'bug',
} as const satisfies Record<string, ErrorFamily>

/** Stable; see the table above. */
export type ErrorCode = keyof typeof ERROR_CODES

/** Small plain facts about an error. Never secrets, never sealed values. */
export type ErrorFacts = Readonly<Record<string, string | number | bigint | boolean | null | undefined>>

/**
 * What everything here throws. Act on `family` or `code`; `message` is for people.
 *
 * @example
 * const error = new SealError('conflict', 'Somebody was first.', { attempts: 8 })
 * console.log(error.family, error.facts.attempts) // retry 8
 */
export class SealError extends Error {
  override readonly name = 'SealError'
  readonly code: ErrorCode
  readonly family: ErrorFamily
  readonly facts: ErrorFacts
  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
    this.family = facts['outcome'] === 'unknown' ? 'unknown' : ERROR_CODES[code]
    this.facts = facts
  }
}

/**
 * True if `error` is a SealError (with that code, if one is given).
 *
 * @example
 * await space.exec('SELCT 1').catch((error) => { if (!isSealError(error, 'sql-syntax')) throw error })
 */
export function isSealError(error: unknown, code?: ErrorCode): error is SealError {
  return error instanceof SealError && (code === undefined || error.code === code)
}

/** Throw a bug unless `condition` holds. For what cannot happen, never for input. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new SealError('invariant', `Internal invariant broken: ${message}. Please report this.`)
}
