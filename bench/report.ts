/** Tables for people, JSON for programs. What is written names the machine's shape, never its name. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

/** From the package's root, where npm runs. */
export const OUT = join(process.cwd(), 'bench', 'out')

/** Columns as wide as they need; numbers to the right. */
export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)))
  const line = (row: readonly string[]): string => row.map((cell, i) => (/^[≤≥]?[\d.,]+( [µm]?s| %)?$/.test(cell) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join('  ').trimEnd()
  console.log([line(header), widths.map((width) => '─'.repeat(width)).join('  '), ...rows.map(line)].join('\n'))
}

export function writeJson(name: string, results: object): void {
  const machine = { node: process.version, platform: `${process.platform} ${process.arch}`, cores: availableParallelism() }
  writeOut(`${name}.json`, `${JSON.stringify({ machine, ...results }, null, 2)}\n`)
}

export function writeOut(name: string, content: string): void {
  mkdirSync(OUT, { recursive: true })
  writeFileSync(join(OUT, name), content)
}

/** Three significant digits. */
export function short(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value)
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return Number(value.toFixed(Math.min(digits, 6))).toLocaleString('en-US', { maximumFractionDigits: 6 })
}

/** A duration in the unit that suits it. */
export function duration(microseconds: number): string {
  if (microseconds >= 1e6) return `${short(microseconds / 1e6)} s`
  if (microseconds >= 1e3) return `${short(microseconds / 1e3)} ms`
  return `${short(microseconds)} µs`
}
