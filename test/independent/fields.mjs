/** The fields of engine/PROTOCOL.md §1, read and written, a structure at a time. Refusing is throwing. */

const refuse = (why) => { throw new Error(why) }

export class Fields {
  constructor(bytes) { this.bytes = bytes; this.at = 0 }
  take(n) { return n > this.bytes.length - this.at ? refuse('truncated') : this.bytes.subarray(this.at, (this.at += n)) }
  rest() { return this.take(this.bytes.length - this.at) }
  u8() { return this.take(1)[0] }
  below(n) { const value = this.u8(); return value < n ? value : refuse('an unknown code') }
  bool() { return this.below(2) === 1 }
  long(bits) {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const b = this.u8()
      value |= BigInt(b & 127) << shift
      if (value >> bits > 0n || shift > bits) refuse('too long a number')
      if (b < 128) return b === 0 && shift > 0n ? refuse('a number that could be shorter') : value
    }
  }
  varint(most = Infinity) { const n = Number(this.long(48n)); return n > most ? refuse('over its bound') : n }
  id() { return this.varint(2 ** 32 - 1) }
  string(most) { return this.take(this.varint(most)) }
  text(most) { return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.string(most)) }
  optional(read) { return this.bool() ? read() : undefined }
  list(read, most = Infinity) {
    const count = this.varint()
    if (count > most || count > this.bytes.length - this.at) refuse('too many')
    return Array.from({ length: count }, read)
  }
  value(most) {
    switch (this.below(5)) {
      case 0: return null
      case 1: { const n = this.long(64n); return n % 2n === 0n ? n / 2n : -(n + 1n) / 2n }
      case 2: { const x = this.take(8).readDoubleBE(); return Number.isNaN(x) || Object.is(x, -0) ? refuse('NaN or -0') : x }
      case 3: return this.text(most)
      default: return this.string(most)
    }
  }
  end() { if (this.at < this.bytes.length) refuse('bytes left over') }
}

export function encodeVarint(n) {
  const out = []
  for (let rest = BigInt(n); ; rest /= 128n) {
    if (rest < 128n) return Buffer.from([...out, Number(rest)])
    out.push(Number(rest % 128n) | 128)
  }
}
const prefixed = (bytes) => Buffer.concat([encodeVarint(bytes.length), bytes])

function encodeValue(value) {
  if (value === null) return Buffer.of(0)
  if (typeof value === 'bigint') return Buffer.concat([Buffer.of(1), encodeVarint(value < 0n ? -2n * value - 1n : 2n * value)])
  if (typeof value === 'string') return Buffer.concat([Buffer.of(3), prefixed(Buffer.from(value, 'utf8'))])
  if (typeof value === 'object') return Buffer.concat([Buffer.of(4), prefixed(value)])
  const out = Buffer.of(2, 0, 0, 0, 0, 0, 0, 0, 0)
  out.writeDoubleBE(value, 1)
  return out
}

// A field type says how it is read and written.

export const u8 = { read: (f) => f.u8(), write: (n) => Buffer.of(n) }
export const bool = { read: (f) => f.bool(), write: (b) => Buffer.of(b ? 1 : 0) }
export const varint = { read: (f) => f.varint(), write: encodeVarint }
export const bytes = { read: (f) => f.string(), write: prefixed }
export const text = { read: (f) => f.text(), write: (s) => prefixed(Buffer.from(s, 'utf8')) }
export const value = { read: (f) => f.value(), write: encodeValue }
/** All that is left. */
export const rest = { read: (f) => f.rest(), write: (b) => b }
export const fixed = (n) => ({ read: (f) => f.take(n), write: (b) => (b.length === n ? b : refuse(`not ${n} bytes`)) })
export const optional = (x) => ({ read: (f) => f.optional(() => x.read(f)), write: (v) => (v === undefined ? Buffer.of(0) : Buffer.concat([Buffer.of(1), x.write(v)])) })
export const list = (x) => ({ read: (f) => f.list(() => x.read(f)), write: (all) => Buffer.concat([encodeVarint(all.length), ...all.map(x.write)]) })
export const struct = (fields) => ({
  read: (f) => Object.fromEntries(Object.entries(fields).map(([name, { read }]) => [name, read(f)])),
  write: (all) => Buffer.concat(Object.entries(fields).map(([name, { write }]) => write(all[name]))),
})

export const encode = (type, content) => type.write(content)
export function decode(type, encoded) {
  const f = new Fields(encoded)
  const content = type.read(f)
  f.end()
  return content
}
