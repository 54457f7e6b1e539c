/**
 * Arguments and results of user functions, exact both ways.
 */
import { type SqlValue } from '../../engine/codec/value.js'
import { SealError } from '../../engine/errors.js'
import { type Wasm } from './wasm.js'

const TRANSIENT = -1

/** Arguments of a procedure, read one by one without an array: valid during the call only. */
export class Arguments {
  count = 0
  #values = 0
  readonly #wasm: Wasm

  constructor(wasm: Wasm) {
    this.#wasm = wasm
  }

  /** For database.ts. */
  at(count: number, values: number): this {
    this.count = count
    this.#values = values
    return this
  }

  value(i: number): SqlValue {
    return readArgument(this.#wasm, this.#pointer(i))
  }

  /** The i-th argument if it is an INTEGER and a safe one; else undefined. */
  safeInteger(i: number): number | undefined {
    const pointer = this.#pointer(i)
    if (this.#wasm.c._sqlite3_value_type(pointer) !== 1) return undefined
    const double = this.#wasm.c._sqlite3_value_double(pointer)
    return Math.abs(double) < 2 ** 53 ? double : undefined
  }

  #pointer(i: number): number {
    return this.#wasm.word(this.#values + 4 * i)
  }
}

export function readArguments(wasm: Wasm, count: number, values: number): SqlValue[] {
  const args: SqlValue[] = []
  for (let i = 0; i < count; i++) args.push(readArgument(wasm, wasm.word(values + 4 * i)))
  return args
}

export function writeResult(wasm: Wasm, context: number, value: SqlValue): void {
  const { c } = wasm
  if (value === null) c._sqlite3_result_null(context)
  else if (typeof value === 'bigint') {
    if (BigInt.asIntN(64, value) !== value) throw new SealError('bad-value', 'Expected an integer within 64 bits as the result of a function.')
    c._sqlite3_result_int64(context, value)
  } else if (typeof value === 'number') {
    if (Number.isNaN(value)) throw new SealError('bad-value', 'Expected a number as the result of a function, got NaN.')
    c._sqlite3_result_double(context, value + 0)
  } else if (typeof value === 'string') {
    const { pointer, length } = wasm.writeText(value)
    c._sqlite3_result_text(context, pointer, length, TRANSIENT)
    wasm.release(pointer)
  } else if (value instanceof Uint8Array) {
    const pointer = wasm.writeBytes(value)
    c._sqlite3_result_blob(context, pointer, value.length, TRANSIENT)
    wasm.release(pointer)
  } else throw new SealError('bad-value', 'Expected null, bigint, number, string or Uint8Array as the result of a function.', { found: typeof value })
}

function readArgument(wasm: Wasm, pointer: number): SqlValue {
  const { c } = wasm
  switch (c._sqlite3_value_type(pointer)) {
    case 1: {
      const double = c._sqlite3_value_double(pointer)
      return Math.abs(double) < 2 ** 53 ? BigInt(double) : BigInt(readText(wasm, pointer))
    }
    case 2:
      return c._sqlite3_value_double(pointer) + 0
    case 3:
      return readText(wasm, pointer)
    case 4: {
      const bytes = c._sqlite3_value_blob(pointer)
      return wasm.u8.slice(bytes, bytes + c._sqlite3_value_bytes(pointer))
    }
    default:
      return null
  }
}

function readText(wasm: Wasm, pointer: number): string {
  const text = wasm.c._sqlite3_value_text(pointer)
  return wasm.readText(text, wasm.c._sqlite3_value_bytes(pointer), true)
}
