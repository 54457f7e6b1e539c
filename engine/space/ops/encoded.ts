/**
 * Many ops, as they are written: each is decoded when it is its turn, and forgotten after it. Ten thousand ops that all live until the last has been applied
 * cost the collector more than decoding them costs.
 */
import { Reader, Writer } from '../../codec/canonical.js'
import { giveRoom, takeRoom } from '../../codec/room.js'
import { SealError } from '../../errors.js'
import { MAX_OPS } from '../../limits.js'
import { type AnyCodec, codecOf, opCodec, readOp, skipOp, type Op, writeOp } from './index.js'

/** The ops of an entry. */
export type Ops = readonly Op[] | EncodedOps

/** So few are kept as they are. */
export const FEW_OPS = 16
/** Tag, and one byte at least. */
const MIN_OP_LENGTH = 1

export class EncodedOps implements Iterable<Op> {
  /** One op behind the other. */
  readonly bytes: Uint8Array
  /** Where each begins. */
  readonly #starts: readonly number[]
  /** Which kinds there are among them. */
  readonly kinds: ReadonlySet<AnyCodec>

  #room: Uint8Array | undefined

  /** Believed: of `readOps`, or written by `OpWriter`, which says what they lie in. */
  constructor(bytes: Uint8Array, starts: readonly number[], room?: Uint8Array) {
    this.bytes = bytes
    this.#room = room
    this.#starts = starts
    const tags = new Set<number>()
    for (let i = 0, last = -1; i < starts.length; i++) {
      const tag = bytes[starts[i] as number] as number
      if (tag !== last) tags.add((last = tag))
    }
    this.kinds = new Set(Array.from(tags, (tag) => codecOf(tag) as AnyCodec))
  }

  /** Nobody asks for any of them again. */
  giveBack(): void {
    if (this.#room !== undefined) giveRoom(this.#room)
    this.#room = undefined
  }

  get length(): number {
    return this.#starts.length
  }

  at(index: number): Op | undefined {
    const start = this.#starts[index]
    return start === undefined ? undefined : readOp(new Reader(this.bytes, start))
  }

  /** How the op is read and applied: without decoding it. */
  codecAt(index: number): AnyCodec | undefined {
    const start = this.#starts[index]
    return start === undefined ? undefined : codecOf(this.bytes[start] as number)
  }

  *[Symbol.iterator](): IterableIterator<Op> {
    for (let i = 0; i < this.#starts.length; i++) yield this.at(i) as Op
  }
}

/** Where ops go one by one, as they are made. */
export interface OpTaker {
  /** What an op is made of need not last. */
  readonly copies: boolean
  add(op: Op): void
}

/** Takes ops one by one. Throws what writing them throws, and `too-large` for more than an entry may have. */
export class OpWriter implements OpTaker {
  readonly copies = true
  readonly #room: Uint8Array
  readonly #writer: Writer
  readonly #starts: number[] = []

  /** `expected`: about how many will come. */
  constructor(expected: number) {
    // Growing step by step would copy them several times.
    this.#room = takeRoom(384 * expected)
    this.#writer = new Writer(this.#room)
  }

  add(op: Op): void {
    if (this.#starts.length === MAX_OPS) throw tooMany(MAX_OPS + 1)
    this.#starts.push(this.#writer.length)
    writeOp(this.#writer, op)
  }

  /** Nothing may be added afterwards. */
  finish(): EncodedOps {
    return new EncodedOps(this.#writer.view(), this.#starts, this.#room)
  }
}

export function writeOps(w: Writer, ops: Ops): void {
  if (ops instanceof EncodedOps) w.varint(ops.length).raw(ops.bytes)
  else w.list(ops, MAX_OPS, writeOp)
}

/** Strict. `r` reads `input`, into which views what it returns. */
export function readOps(r: Reader, input: Uint8Array): Ops {
  const count = r.count(MAX_OPS, MIN_OP_LENGTH)
  if (count <= FEW_OPS) {
    const ops: Op[] = []
    while (ops.length < count) ops.push(readOp(r))
    return ops
  }
  const from = r.offset
  const starts: number[] = []
  for (let i = 0; i < count; i++) {
    starts.push(r.offset - from)
    skipOp(r)
  }
  return new EncodedOps(input.subarray(from, r.offset), starts)
}

export function tooMany(found: number): SealError {
  return new SealError('too-large', `Expected an entry of at most ${MAX_OPS} ops, got ${found}.`, { found, max: MAX_OPS })
}

/** The codec of an op, which says what kind it is. */
export function codecAt(ops: Ops, index: number): AnyCodec | undefined {
  if (ops instanceof EncodedOps) return ops.codecAt(index)
  const op = ops[index]
  return op && opCodec(op)
}

/** Of many, each kind is asked about once. `about`: handed to `test`. */
export function everyKind<T>(ops: Ops, test: (kind: AnyCodec, about: T) => boolean, about: T): boolean {
  if (ops instanceof EncodedOps) {
    for (const kind of ops.kinds) if (!test(kind, about)) return false
  } else {
    for (const op of ops) if (!test(opCodec(op), about)) return false
  }
  return true
}

export function everyOp(ops: Ops, test: (name: Op['op']) => boolean): boolean {
  return everyKind(ops, hasName, test)
}

export function someOp(ops: Ops, test: (name: Op['op']) => boolean): boolean {
  return !everyKind(ops, lacksName, test)
}

// Functions of their own, as all that an entry calls: V8 forgets what it has compiled of closures that live for one entry whenever it collects all garbage, and compiles it again.

function hasName({ name }: AnyCodec, test: (name: Op['op']) => boolean): boolean {
  return test(name)
}

function lacksName({ name }: AnyCodec, test: (name: Op['op']) => boolean): boolean {
  return !test(name)
}
