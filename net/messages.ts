/**
 * The messages between a client and a relay: what they hold, their bounds, how they are written. `net/README.md` describes the exchange.
 *
 * Every message is `[tag, request, ...fields]`. `request` is 0 for a message nobody answers; an answer repeats the request's number.
 * A message that is not exactly what this table says is `bad-frame`, and its connection ends.
 */
import { SealError } from '../engine/errors.js'
import { MAX_BATCH_RECORDS, MAX_CHUNK_PROOF_HASHES, MAX_COUNT, MAX_ENTRY_LENGTH, MAX_FILE_CHUNKS, MAX_NOTE_LENGTH, MAX_PAGE_LENGTH, MAX_PRESENCE_LENGTH, MAX_READ_LENGTH, MAX_SEALED_CHUNK_LENGTH, MAX_SNAPSHOT_CHUNK_LENGTH, MAX_SNAPSHOT_MANIFEST_LENGTH, MAX_WANTED_FILES } from '../engine/limits.js'
import { decodeFrame, encodeFrame, type WireValue } from './wire.js'

export const WIRE_VERSION = 1

/** One field: how long it may be, and whether the value has its type. */
interface Field<T extends WireValue> { readonly check: (value: WireValue) => value is T }

const uint: Field<number> = { check: (v): v is number => typeof v === 'number' && Number.isInteger(v) && v >= 0 && v <= MAX_COUNT }
const flag: Field<boolean> = { check: (v): v is boolean => typeof v === 'boolean' }
const text = (max: number): Field<string> => ({ check: (v): v is string => typeof v === 'string' && v.length <= max })
const bytes = (max: number, min = 0): Field<Uint8Array> => ({ check: (v): v is Uint8Array => v instanceof Uint8Array && v.length >= min && v.length <= max })
const list = (count: number, max: number): Field<readonly Uint8Array[]> => ({
  check: (v): v is readonly Uint8Array[] => Array.isArray(v) && v.length <= count && areBytes(v, max),
})
function areBytes(items: readonly unknown[], max: number): boolean {
  for (const item of items) if (!(item instanceof Uint8Array) || item.length > max) return false
  return true
}
const hash = bytes(32, 32)
/** A genesis is one op of fixed size; whoever sends it has proved nothing yet. */
const MAX_GENESIS_LENGTH = 64 * 1024

/** Tag and fields of every message. Tags are never reused. */
const TABLE = {
  // client → relay, before anything else
  hello: { tag: 1, fields: { version: uint, space: hash } },
  /** Prove a device key: signature over relay name, space and challenge. */
  auth: { tag: 2, fields: { device: uint, signature: bytes(64, 64) } },
  /** Prove the key of an open invitation: reads without joining. */
  authInvitation: { tag: 3, fields: { invitation: uint, signature: bytes(64, 64) } },
  /** Bring a space that the relay does not hold: its genesis record. */
  create: { tag: 4, fields: { genesis: bytes(MAX_GENESIS_LENGTH) } },
  // relay → client
  challenge: { tag: 5, fields: { relay: text(255), publicKey: hash, nonce: hash, known: flag } },
  welcome: { tag: 6, fields: { size: uint, note: bytes(MAX_NOTE_LENGTH) } },
  // client → relay, afterwards
  pull: { tag: 10, fields: { from: uint, limit: uint } },
  append: { tag: 11, fields: { records: list(MAX_BATCH_RECORDS, MAX_ENTRY_LENGTH) } },
  /** Hand back entries that the relay has lost: the same bytes at the same indexes. */
  restore: { tag: 12, fields: { from: uint, records: list(MAX_BATCH_RECORDS, MAX_ENTRY_LENGTH) } },
  presence: { tag: 13, fields: { message: bytes(MAX_PRESENCE_LENGTH) } },
  /** What the relay's latest head makes of `size`, or of its own size if that is smaller. */
  checkpoint: { tag: 14, fields: { size: uint } },
  /** The manifest of the state after `size` entries, and a chunk of its rows (PROTOCOL.md §9.5). */
  snapshot: { tag: 15, fields: { size: uint } },
  rows: { tag: 16, fields: { size: uint, from: uint, count: uint } },
  ping: { tag: 17, fields: {} },
  /** Reads of the state after `size` entries (PROTOCOL.md §5, queries and pages). */
  read: { tag: 18, fields: { size: uint, queries: bytes(MAX_READ_LENGTH) } },
  /** The records from there on, and a witness of them (PROTOCOL.md §10). */
  witness: { tag: 40, fields: { from: uint, limit: uint } },
  /** A chunk of a file, sealed (PROTOCOL.md §8.7). */
  chunk: { tag: 30, fields: { file: hash, number: uint } },
  /** Bring one, with the proof that it is of the file that the state names. */
  bringChunk: { tag: 31, fields: { file: hash, number: uint, proof: list(MAX_CHUNK_PROOF_HASHES, 32), chunk: bytes(MAX_SEALED_CHUNK_LENGTH) } },
  /** Which chunks of a file the relay has; and of which files, after an id or (empty) from the first on, it lacks some. */
  heldChunks: { tag: 32, fields: { file: hash } },
  wantedFiles: { tag: 33, fields: { after: bytes(32) } },
  // relay → client
  /** Records `[from, from + records.length)` and the relay's note for the size they lead to, or, in answer to a pull, on the way to: then pull on.
   * Request 0: pushed. */
  entries: { tag: 20, fields: { from: uint, records: list(MAX_BATCH_RECORDS, MAX_ENTRY_LENGTH), note: bytes(MAX_NOTE_LENGTH) } },
  /** A courtesy, one for each `append`: how many were stored, where the first of them lies, and why the first that was not stored was refused
   * ('' if none). Clients believe only the log. */
  appended: { tag: 21, fields: { index: uint, stored: uint, refused: text(255) } },
  presenceFrom: { tag: 22, fields: { message: bytes(MAX_PRESENCE_LENGTH) } },
  /** The log root at the size asked for, and the proof that the note's root extends it. */
  checkpointIs: { tag: 23, fields: { note: bytes(MAX_NOTE_LENGTH), root: hash, consistency: list(64, 32) } },
  /** Empty, both: there is none. */
  snapshotIs: { tag: 24, fields: { manifest: bytes(MAX_SNAPSHOT_MANIFEST_LENGTH) } },
  rowsAre: { tag: 25, fields: { proof: bytes(MAX_SNAPSHOT_CHUNK_LENGTH) } },
  pong: { tag: 26, fields: {} },
  /** A page: so many queries answered whole, so many rows of the one after them. */
  page: { tag: 28, fields: { answered: uint, rows: uint, proof: bytes(MAX_PAGE_LENGTH) } },
  /** Records as in `entries`, the note for exactly the size they lead to, and what they open of the state before them; empty: to be asked for by `read`. */
  witnessed: { tag: 41, fields: { from: uint, records: list(MAX_BATCH_RECORDS, MAX_ENTRY_LENGTH), note: bytes(MAX_NOTE_LENGTH), witness: bytes(MAX_PAGE_LENGTH) } },
  chunkIs: { tag: 34, fields: { proof: list(MAX_CHUNK_PROOF_HASHES, 32), chunk: bytes(MAX_SEALED_CHUNK_LENGTH) } },
  /** It is durable. */
  chunkTaken: { tag: 35, fields: {} },
  /** A bit for each chunk, lowest first. Empty: no such file. */
  heldAre: { tag: 36, fields: { bits: bytes(MAX_FILE_CHUNKS / 8) } },
  wantedAre: { tag: 37, fields: { files: list(MAX_WANTED_FILES, 32) } },
  refused: { tag: 27, fields: { code: text(64), message: text(1024) } },
} as const

type Table = typeof TABLE
export type MessageKind = keyof Table
type FieldValue<F> = F extends Field<infer T> ? T : never
export type MessageOf<K extends MessageKind> = { readonly kind: K; readonly request: number } & {
  readonly [F in keyof Table[K]['fields']]: FieldValue<Table[K]['fields'][F]>
}
export type Message = { [K in MessageKind]: MessageOf<K> }[MessageKind]

type AnyFields = Readonly<Record<string, Field<WireValue>>>
const BY_TAG = new Map<number, MessageKind>((Object.keys(TABLE) as MessageKind[]).map((kind) => [TABLE[kind].tag, kind]))

/**
 * @example
 * decodeMessage(encodeMessage({ kind: 'pull', request: 7, from: 0, limit: 100 })).kind === 'pull'
 */
export function encodeMessage(message: Message): Uint8Array {
  const values: WireValue[] = [TABLE[message.kind].tag, message.request]
  const source = message as unknown as Readonly<Record<string, WireValue>>
  for (const name of Object.keys(TABLE[message.kind].fields)) values.push(source[name] as WireValue)
  return encodeFrame(values)
}

/** Throws `bad-frame` (hostile): wrong tag, count, type or length of a field. */
export function decodeMessage(frame: Uint8Array): Message {
  const [tag, request, ...values] = decodeFrame(frame)
  const kind = typeof tag === 'number' ? BY_TAG.get(tag) : undefined
  if (kind === undefined) throw new SealError('bad-frame', 'The frame has a tag that this protocol does not have.', { tag: typeof tag === 'number' ? tag : null })
  if (request === undefined || !uint.check(request)) throw new SealError('bad-frame', `The ${kind} message has no request number.`)
  const fields = Object.entries(TABLE[kind].fields as AnyFields)
  if (fields.length !== values.length) {
    throw new SealError('bad-frame', `The ${kind} message has ${values.length} fields; expected ${fields.length}.`, { kind })
  }
  const message: Record<string, unknown> = { kind, request }
  for (let i = 0; i < fields.length; i++) {
    const [name, field] = fields[i] as [string, Field<WireValue>]
    if (!field.check(values[i] as WireValue)) throw new SealError('bad-frame', `The ${kind} message's ${name} has the wrong type or length.`, { kind, field: name })
    message[name] = values[i]
  }
  return message as unknown as Message
}
