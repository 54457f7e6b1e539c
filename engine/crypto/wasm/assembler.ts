/**
 * As much of a WebAssembly assembler as our kernels need: opcodes as functions of code, and modules of functions over one memory. The bytes are made at
 * run time, in a few milliseconds: no generated file, no tool, and what runs is what is written here.
 */

/** Bytes, as a string of characters up to 255: joining is cheap, and so is reading them once at the end. Operands stand first, as on the stack. */
export type Code = string

export type ValueType = typeof I32 | typeof I64 | typeof V128
export const I32 = '\x7f'
export const I64 = '\x7e'
export const V128 = '\x7b'

/** A parameter or local variable. */
export interface Local {
  readonly get: Code
  set(value: Code): Code
  tee(value: Code): Code
}

export interface Function {
  /** The name it is exported by, if it is. */
  readonly name?: string
  /** Number of parameters, all i32. */
  readonly params: number
  readonly returns?: typeof I32
  readonly locals: readonly ValueType[]
  readonly body: Code
}

/** Gives out the variables of one function. */
export class Frame {
  readonly locals: ValueType[] = []
  readonly #params: number

  constructor(params: number) {
    this.#params = params
  }

  param(index: number): Local {
    return variable(index)
  }

  local(type: ValueType): Local {
    return variable(this.#params + this.locals.push(type) - 1)
  }

  several(count: number, type: ValueType): readonly Local[] {
    return Array.from({ length: count }, () => this.local(type))
  }
}

function variable(index: number): Local {
  const [get, set, tee] = [0x20, 0x21, 0x22].map((op) => bytes(op) + leb(index)) as [Code, Code, Code]
  return { get, set: (value) => value + set, tee: (value) => value + tee }
}

/** `make(0)` to `make(count - 1)`, one after the other. */
export function each(count: number, make: (i: number) => Code): Code {
  let code = ''
  for (let i = 0; i < count; i++) code += make(i)
  return code
}

// Control

/** Runs `body`, and again as long as `condition` is not zero. */
export const doWhile = (body: Code, condition: Code): Code => bytes(0x03, 0x40) + body + condition + bytes(0x0d, 0, 0x0b)
export const when = (condition: Code, body: Code): Code => condition + bytes(0x04, 0x40) + body + bytes(0x0b)
export const call = (index: number, ...operands: readonly Code[]): Code => operands.join('') + bytes(0x10) + leb(index)
/** `a` where the condition is not zero, else `b`. */
export const select = (a: Code, b: Code, condition: Code): Code => a + b + condition + bytes(0x1b)

// Operators

type Unary = (a: Code) => Code
type Binary = (a: Code, b: Code) => Code
type Load = (address: Code, offset?: number) => Code
type Store = (address: Code, value: Code, offset?: number) => Code

const unary = (op: Code): Unary => (a) => a + op
const binary = (op: Code): Binary => (a, b) => a + b + op
const load = (op: Code): Load => (address, offset = 0) => address + op + '\0' + leb(offset)
const store = (op: Code): Store => (address, value, offset = 0) => address + value + op + '\0' + leb(offset)
const simd = (op: number): Code => bytes(0xfd) + leb(op)

export const i32 = {
  const: (n: number): Code => '\x41' + sleb(n | 0),
  load: load('\x28'), store: store('\x36'), store8: store('\x3a'),
  isZero: unary('\x45'), lessThan: binary('\x49'),
  add: binary('\x6a'), subtract: binary('\x6b'), and: binary('\x71'), or: binary('\x72'), xor: binary('\x73'),
  shiftLeft: binary('\x74'), shiftRight: binary('\x76'), rotateLeft: binary('\x77'), rotateRight: binary('\x78'),
  /** The low half of an i64. */
  wrap: unary('\xa7'),
} as const

export const i64 = {
  const: (n: number): Code => bytes(0x42) + sleb(n),
  load: load('\x29'), load32: load('\x35'), store: store('\x37'), store32: store('\x3e'),
  isZero: unary('\x50'),
  /** Of an i32 without a sign. */
  extend: unary('\xad'),
  add: binary('\x7c'), subtract: binary('\x7d'), multiply: binary('\x7e'), and: binary('\x83'), or: binary('\x84'), xor: binary('\x85'),
  shiftLeft: binary('\x86'), shiftRight: binary('\x88'), rotateRight: binary('\x8a'),
} as const

export const v128 = {
  load: load(simd(0)), store: store(simd(11)),
  /** One word of memory in all four lanes. */
  loadSplat: load(simd(9)),
  /** A constant of four words. */
  of: (words: readonly number[]): Code => simd(12) + bytes(...new Uint8Array(Uint32Array.from(words).buffer)),
  zero: simd(12) + '\0'.repeat(16),
  and: binary(simd(78)), or: binary(simd(80)), xor: binary(simd(81)),
  splat: unary(simd(17)),
  lane: (a: Code, lane: number): Code => a + simd(27) + bytes(lane),
  withLane: (a: Code, lane: number, value: Code): Code => a + value + simd(28) + bytes(lane),
  /** One half as an i64. */
  half: (a: Code, half: number): Code => a + simd(29) + bytes(half),
  lessThan: binary(simd(57)), add: binary(simd(174)), subtract: binary(simd(177)), multiply: binary(simd(181)),
  shiftLeft: (a: Code, n: number): Code => a + i32.const(n) + simd(171),
  shiftRight: (a: Code, n: number): Code => a + i32.const(n) + simd(173),
  /** Bytes of `a` are numbered from 0, those of `b` from 16. */
  shuffle: (a: Code, b: Code, places: readonly number[]): Code => a + b + simd(13) + bytes(...places),
  /** Words of `a` are numbered from 0, those of `b` from 4. */
  shuffleWords: (a: Code, b: Code, words: readonly number[]): Code => v128.shuffle(a, b, words.flatMap((word) => [4 * word, 4 * word + 1, 4 * word + 2, 4 * word + 3])),
  /** Two lanes of 64 bits. `low` and `high`: products of the first two words, or the last two, without a sign. */
  add64: binary(simd(206)), low: binary(simd(222)), high: binary(simd(223)),
  shiftLeft64: (a: Code, n: number): Code => a + i32.const(n) + simd(203),
  shiftRight64: (a: Code, n: number): Code => a + i32.const(n) + simd(205),
} as const

/** Zeros from `from`, which moves on, to `end`, sixteen bytes at a time. */
export function clearTo(from: Local, end: Code): Code {
  return doWhile(v128.store(from.get, v128.zero), i32.lessThan(from.tee(i32.add(from.get, i32.const(16))), end))
}

/** Four rows of four words turned into columns, in the same variables; `spare` is another four. */
export function transpose(rows: readonly Local[], spare: readonly Local[]): Code {
  const [a, b, c, d] = rows as readonly [Local, Local, Local, Local]
  const [low, high, low2, high2] = spare as readonly [Local, Local, Local, Local]
  return low.set(v128.shuffleWords(a.get, b.get, [0, 4, 1, 5])) + high.set(v128.shuffleWords(a.get, b.get, [2, 6, 3, 7]))
    + low2.set(v128.shuffleWords(c.get, d.get, [0, 4, 1, 5])) + high2.set(v128.shuffleWords(c.get, d.get, [2, 6, 3, 7]))
    + a.set(v128.shuffleWords(low.get, low2.get, [0, 1, 4, 5])) + b.set(v128.shuffleWords(low.get, low2.get, [2, 3, 6, 7]))
    + c.set(v128.shuffleWords(high.get, high2.get, [0, 1, 4, 5])) + d.set(v128.shuffleWords(high.get, high2.get, [2, 3, 6, 7]))
}

// Modules

/** A module of these functions over `pages` of memory, exported as `memory`, with `data` at its start. A function's index is its place here. */
export function assemble(functions: readonly Function[], pages: number, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const exported = functions.flatMap(({ name }, index) => (name === undefined ? [] : [sized(name) + '\0' + leb(index)]))
  const code = '\0asm\x01\0\0\0'
    + section(1, functions.map(({ params, returns }) => '\x60' + leb(params) + I32.repeat(params) + vector(returns === undefined ? [] : [returns])))
    + section(3, functions.map((_, index) => leb(index)))
    + section(5, ['\x01' + leb(pages) + leb(pages)])
    + section(7, [...exported, sized('memory') + '\x02\0'])
    + section(10, functions.map(({ locals, body }) => sized(vector(locals.map((type) => '\x01' + type)) + body + '\x0b')))
    + section(11, ['\0' + i32.const(0) + '\x0b' + sized(bytes(...data))])
  const module = new Uint8Array(code.length)
  for (let i = 0; i < code.length; i++) module[i] = code.charCodeAt(i)
  return module
}

const section = (id: number, items: readonly Code[]): Code => bytes(id) + sized(vector(items))
const vector = (items: readonly Code[]): Code => leb(items.length) + items.join('')
const sized = (code: Code): Code => leb(code.length) + code

function bytes(...values: readonly number[]): Code {
  return String.fromCharCode(...values)
}

function leb(n: number): Code {
  return n < 0x80 ? String.fromCharCode(n) : String.fromCharCode((n & 0x7f) | 0x80) + leb(n >>> 7)
}

function sleb(n: number): Code {
  return n >= -0x40 && n < 0x40 ? String.fromCharCode(n & 0x7f) : String.fromCharCode((n & 0x7f) | 0x80) + sleb(Math.floor(n / 128))
}
