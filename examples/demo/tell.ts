/** Telling the story: headings, facts with timings, tables, a progress bar. */
import { styleText } from 'node:util'
import { formatTable } from '../../net/cli/output.js'

const started = performance.now()
const colours = process.stdout.isTTY && process.env.NO_COLOR === undefined
const style = (how: 'bold' | 'dim' | 'green' | 'red', text: string): string => (colours ? styleText(how, text) : text)

export function chapter(title: string): void {
  console.log(`\n${style('bold', title)}`)
}

export function say(text: string): void {
  console.log(`  ${text}`)
}

/** A promise of the product that was just shown to hold. */
export function shown(text: string): void {
  console.log(`  ${style('green', '✓')} ${text}`)
}

export function table(rows: readonly unknown[]): void {
  for (const line of formatTable(rows as readonly Record<string, unknown>[]).split('\n')) console.log(`    ${style('dim', line)}`)
}

/** Runs it and says how long it took. */
export async function timed<T>(what: string, work: () => Promise<T>, detail: (result: T, seconds: number) => string = () => ''): Promise<T> {
  const from = performance.now()
  const result = await work()
  const seconds = (performance.now() - from) / 1000
  const more = detail(result, seconds)
  say(`${what}: ${seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`}${more === '' ? '' : `, ${more}`}`)
  return result
}

export function bar(label: string): { update(done: number, of?: number): void; done(): void } {
  const tty = process.stdout.isTTY
  return {
    update: (done, of) => {
      if (!tty || of === undefined) return
      const filled = Math.round((done / of) * 30)
      process.stdout.write(`\r  ${label} ${'█'.repeat(filled)}${'░'.repeat(30 - filled)} ${done.toLocaleString('en')} of ${of.toLocaleString('en')}\x1b[K`)
    },
    done: () => { if (tty) process.stdout.write('\r\x1b[K') },
  }
}

export function total(): string {
  return `${((performance.now() - started) / 1000).toFixed(1)} s`
}

/** What was promised did not happen: the demo fails. */
export function mustHold(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`The demo expected this to hold, and it did not: ${what}`)
}
