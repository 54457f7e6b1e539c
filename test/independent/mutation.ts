/** One thing in an op that is something else: a number, a bit, an element too many. What no encoding holds is the caller's to find out. */

export interface Dice {
  roll(n: number): number
  pick<T>(from: readonly T[]): T
}

export function changed(value: unknown, dice: Dice): unknown {
  if (typeof value === 'number') return dice.pick([value + 1, Math.max(0, value - 1), 0, 1, 2, value + 256, 2 ** 32 - 1])
  if (typeof value === 'bigint') return value + dice.pick([1n, -1n, 2n ** 40n])
  if (typeof value === 'boolean') return !value
  if (typeof value === 'string') return dice.pick(['reader', 'writer', 'admin', 'owner', 'member', 'device', 'insert', 'all', 'table', 'view', 'integer', 'text', 'link', 'blinding', `${value}x`])
  if (value instanceof Uint8Array) return changedBytes(value, dice)
  if (Array.isArray(value)) return changedList(value as readonly unknown[], dice)
  if (typeof value !== 'object' || value === null) return value
  const names = Object.keys(value).filter((name) => name !== 'op')
  if (names.length === 0) return value
  const name = dice.pick(names)
  return { ...value, [name]: changed((value as Readonly<Record<string, unknown>>)[name], dice) }
}

function changedBytes(bytes: Uint8Array, dice: Dice): Uint8Array {
  const at = dice.roll(Math.max(1, bytes.length))
  switch (dice.roll(6)) {
    case 0: return bytes.slice(0, -1)
    case 1: return Uint8Array.of(...bytes, dice.roll(256))
    case 2: return new Uint8Array(bytes.length)
    case 3: return bytes.map((byte, i) => (i === 0 ? byte ^ 3 : byte))
    default: return bytes.map((byte, i) => (i === at ? byte ^ (1 << dice.roll(8)) : byte))
  }
}

function changedList(list: readonly unknown[], dice: Dice): unknown {
  if (list.length === 0) return list
  const at = dice.roll(list.length)
  switch (dice.roll(5)) {
    case 0: return list.toSpliced(at, 1)
    case 1: return [...list, list[at]]
    case 2: return [...list].reverse()
    default: return list.with(at, changed(list[at], dice))
  }
}
