/** Names and values as SQL text that SQLite reads back exactly. */

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** An exact value: bigint is INTEGER, number is REAL. */
export function literal(value: null | bigint | number | string | Uint8Array): string {
  if (value === null) return 'NULL'
  if (value instanceof Uint8Array) return `x'${Buffer.from(value).toString('hex')}'`
  if (typeof value === 'bigint') return value === -(2n ** 63n) ? '(-9223372036854775807-1)' : value.toString()
  if (typeof value === 'number') return realLiteral(value)
  // A text with NUL would end there.
  return value.includes('\0') ? `CAST(x'${Buffer.from(value, 'utf8').toString('hex')}' AS TEXT)` : `'${value.replaceAll("'", "''")}'`
}

function realLiteral(value: number): string {
  if (value === Infinity) return '9e999'
  if (value === -Infinity) return '-9e999'
  const text = String(value)
  return /[.e]/.test(text) ? text : `${text}.0`
}
