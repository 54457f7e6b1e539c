/**
 * sql.js's WebAssembly module, as raw C functions and memory. Nothing here knows a database.
 *
 * sql.js exports the functions it needs itself (no int64 binding, no decltype, no interrupt, no progress handler: those don't exist here) and keeps
 * its memory private; `instantiateWasm` lets us keep a reference. Its JavaScript class opens a file in Emscripten's file system, and serves for
 * nothing else.
 */
import { SealError } from '../../engine/errors.js'

const FUNCTIONS = [
  '_malloc', '_free', '_sqlite3_open', '_sqlite3_close_v2', '_sqlite3_errmsg', '_sqlite3_exec', '_sqlite3_prepare_v2', '_sqlite3_step',
  '_sqlite3_reset', '_sqlite3_clear_bindings', '_sqlite3_finalize', '_sqlite3_changes', '_sqlite3_column_count', '_sqlite3_column_name',
  '_sqlite3_column_type', '_sqlite3_column_double', '_sqlite3_column_text', '_sqlite3_column_blob', '_sqlite3_column_bytes', '_sqlite3_bind_int',
  '_sqlite3_bind_double', '_sqlite3_bind_text', '_sqlite3_bind_blob', '_sqlite3_bind_parameter_index', '_sqlite3_create_function_v2',
  '_sqlite3_value_type', '_sqlite3_value_double', '_sqlite3_value_text', '_sqlite3_value_blob', '_sqlite3_value_bytes', '_sqlite3_result_null',
  '_sqlite3_result_double', '_sqlite3_result_text', '_sqlite3_result_blob', '_sqlite3_result_error', '_sqlite3_backup_init', '_sqlite3_backup_step',
  '_sqlite3_backup_finish',
] as const

/** The C functions as wasm exports: pointers and ints are numbers. */
export type RawFunctions = { readonly [name in (typeof FUNCTIONS)[number]]: (...args: number[]) => number } & {
  readonly _sqlite3_result_int64: (context: number, value: bigint) => void
  readonly addFunction: (f: (...args: number[]) => void, signature: string) => number
  readonly removeFunction: (pointer: number) => void
  readonly Database: new (bytes?: Uint8Array) => WasmFile
}

/** A file in Emscripten's file system that sql.js opened: the only way to the bytes of a database file. Close it, or they stay. */
export interface WasmFile {
  readonly filename: string
  export(): Uint8Array
  close(): void
}

/** What `initSqlJs` is, as far as we use it. */
export type SqlJsFactory = (config: {
  instantiateWasm(imports: WebAssembly.Imports, ready: (instance: WebAssembly.Instance) => void): WebAssembly.Exports
}) => Promise<unknown>

const SCRATCH_BYTES = 1 << 16
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const lenient = new TextDecoder('utf-8', { ignoreBOM: true })
const encoder = new TextEncoder()

/** One instance: shared by all databases of the process. Views are refreshed by `heap()` after growth, so take them anew after any C call. */
export class Wasm {
  readonly c: RawFunctions
  readonly memory: WebAssembly.Memory
  /** Two words for out-parameters. */
  readonly out: number
  #u8: Uint8Array
  #scratchBytes: Uint8Array
  #i32: Int32Array
  #i64: BigInt64Array
  #node: Slicer | undefined
  #scratch: number
  #crashed: unknown

  constructor(c: RawFunctions, memory: WebAssembly.Memory) {
    this.c = c
    this.memory = memory
    this.#u8 = new Uint8Array(memory.buffer)
    this.#i32 = new Int32Array(memory.buffer)
    this.#i64 = new BigInt64Array(memory.buffer)
    this.#node = slicer(memory.buffer)
    this.out = c._malloc(16)
    this.#scratch = c._malloc(SCRATCH_BYTES)
    this.#scratchBytes = this.u8.subarray(this.#scratch, this.#scratch + SCRATCH_BYTES)
  }

  get u8(): Uint8Array {
    if (this.#u8.length === 0) this.#refresh()
    return this.#u8
  }

  get i32(): Int32Array {
    if (this.#i32.length === 0) this.#refresh()
    return this.#i32
  }

  get i64(): BigInt64Array {
    if (this.#i64.length === 0) this.#refresh()
    return this.#i64
  }

  word(pointer: number): number {
    return this.i32[pointer >> 2] as number
  }

  /** UTF-8 with a closing NUL at `pointer`; `length` without it. Free with `release`. Throws `bad-value`, `out-of-memory`. */
  writeText(text: string): { readonly pointer: number; readonly length: number } {
    // Short ASCII needs neither the encoder nor a check for surrogates.
    const size = text.length
    if (size < 48) {
      const u8 = this.u8
      const base = this.#scratch
      let i = 0
      for (; i < size; i++) {
        const unit = text.charCodeAt(i)
        if (unit > 127) break
        u8[base + i] = unit
      }
      if (i === size) {
        u8[base + size] = 0
        return { pointer: base, length: size }
      }
    }
    if (!text.isWellFormed()) throw new SealError('bad-value', 'Expected well-formed Unicode text, found an unpaired surrogate.')
    const pointer = this.allocate(size * 3 + 1)
    const u8 = this.u8 // first: after growth it renews the other views, too
    const { written } = encoder.encodeInto(text, pointer === this.#scratch ? this.#scratchBytes : u8.subarray(pointer, pointer + size * 3))
    u8[pointer + written] = 0
    return { pointer, length: written }
  }

  writeBytes(bytes: Uint8Array): number {
    const pointer = this.allocate(bytes.length + 1)
    this.u8.set(bytes, pointer)
    return pointer
  }

  /** The scratch area if `bytes` fit, else fresh memory. The scratch area holds one value at a time. */
  allocate(bytes: number): number {
    if (bytes <= SCRATCH_BYTES) return this.#scratch
    const pointer = this.c._malloc(bytes)
    if (pointer === 0) throw outOfMemory()
    return pointer
  }

  release(pointer: number): void {
    if (pointer !== this.#scratch) this.c._free(pointer)
  }

  /** Text of `length` bytes. Strict throws `bad-value` on invalid UTF-8 (only `CAST(blob AS TEXT)` makes such text); otherwise U+FFFD. */
  readText(pointer: number, length: number, strict: boolean): string {
    const u8 = this.u8 // first: after growth it renews the other views, too
    const node = this.#node
    if (length < (node === undefined ? 16 : 8)) {
      let text = ''
      let i = 0
      for (; i < length; i++) {
        const unit = u8[pointer + i] as number
        if (unit > 127) break
        text += String.fromCharCode(unit)
      }
      if (i === length) return text
    }
    if (node !== undefined) {
      const text = node.utf8Slice(pointer, pointer + length)
      // U+FFFD may be the text's own, or stand for bytes that aren't UTF-8: the strict decoder tells.
      if (!strict || !text.includes('\uFFFD')) return text
    }
    const bytes = u8.subarray(pointer, pointer + length)
    if (!strict) return lenient.decode(bytes)
    try {
      return decoder.decode(bytes)
    } catch (cause) {
      throw new SealError('bad-value', 'Expected TEXT that is valid UTF-8.', { length }, { cause })
    }
  }

  /** Throws as `readText` does if it is strict. */
  checkText(pointer: number, length: number): void {
    if (!this.#isAscii(pointer, length)) this.readText(pointer, length, true)
  }

  #isAscii(pointer: number, length: number): boolean {
    const u8 = this.u8 // first: after growth it renews the other views, too
    const words = this.#i32
    const end = pointer + length
    let all = 0
    let i = pointer
    for (; i < end && (i & 3) !== 0; i++) all |= u8[i] as number
    let fours = 0
    for (; i + 4 <= end; i += 4) fours |= words[i >> 2] as number
    for (; i < end; i++) all |= u8[i] as number
    return (all & 0x80) === 0 && (fours & 0x80808080) === 0
  }

  readCString(pointer: number): string {
    if (pointer === 0) return ''
    const u8 = this.u8
    return this.readText(pointer, u8.indexOf(0, pointer) - pointer, false)
  }

  /** Run C code that may trap. A trap (or a JavaScript stack overflow inside) leaves SQLite's memory in the middle of something: nothing runs after it. */
  crash(cause: unknown): SealError {
    this.#crashed = cause
    return new SealError('sqlite-crashed', 'SQLite stopped in the middle of its work; every database of this process must be reopened in a new one.', {}, { cause })
  }

  assertAlive(): void {
    if (this.#crashed !== undefined) throw this.crash(this.#crashed)
  }

  #refresh(): void {
    this.#u8 = new Uint8Array(this.memory.buffer)
    this.#i32 = new Int32Array(this.memory.buffer)
    this.#i64 = new BigInt64Array(this.memory.buffer)
    this.#node = slicer(this.memory.buffer)
    this.#scratchBytes = this.#u8.subarray(this.#scratch, this.#scratch + SCRATCH_BYTES)
  }
}

/** Node decodes UTF-8 from a Buffer in half the time of a TextDecoder. */
interface Slicer { utf8Slice(start: number, end: number): string }

function slicer(memory: ArrayBuffer): Slicer | undefined {
  if (typeof globalThis.Buffer !== 'function') return undefined
  const buffer: object = globalThis.Buffer.from(memory)
  return canSlice(buffer) ? buffer : undefined
}

function canSlice(buffer: object): buffer is Slicer {
  return 'utf8Slice' in buffer
}

export function outOfMemory(): SealError {
  return new SealError('out-of-memory', 'SQLite ran out of memory: all databases of this process share at most 2 GiB.')
}

/** Instantiate `binary` under sql.js's glue. Throws `provider-unavailable` if it isn't the build we know. */
export async function loadWasm(init: SqlJsFactory, binary: BufferSource): Promise<Wasm> {
  const compiled = await WebAssembly.compile(binary)
  let exports: WebAssembly.Exports | undefined
  const raw = await new Promise<unknown>((resolve, reject) => {
    init({
      instantiateWasm(imports, ready) {
        WebAssembly.instantiate(compiled, imports).then((instance) => {
          exports = instance.exports
          ready(instance)
        }, reject)
        return {}
      },
    }).then(resolve, reject)
  })
  if (exports === undefined) {
    throw new SealError('provider-unavailable', 'sql.js was started by somebody else in this process and keeps its memory private: open SealDB first, or give it its own copy of sql.js (option initSqlJs).')
  }
  const memory = Object.values(exports).find((value) => value instanceof WebAssembly.Memory)
  if (memory === undefined || !isRaw(raw)) throw new SealError('provider-unavailable', 'This is not the build of sql.js that SealDB is pinned to: functions are missing.')
  return new Wasm(raw, memory)
}

function isRaw(module: unknown): module is RawFunctions {
  if (typeof module !== 'object' || module === null) return false
  const found = new Map(Object.entries(module))
  return [...FUNCTIONS, '_sqlite3_result_int64', 'addFunction', 'removeFunction', 'Database'].every((name) => typeof found.get(name) === 'function')
}
