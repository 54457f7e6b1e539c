/**
 * The bars of the design, held against figures of one run. A bar is a ratio, a size or a rate of this run; a miss is printed, and is no failure
 * of the program: these machines are shared. What must not move at all is pinned by test/bench/counters.test.ts.
 */
import { printTable, short } from './report.js'

export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** How it was measured, or against what. */
  readonly note?: string
}
export interface Bar {
  readonly figure: string
  readonly atLeast?: number
  readonly atMost?: number
}
export interface Judged extends Figure {
  readonly bar: string
  readonly verdict: 'pass' | 'miss' | ''
}

const BARS: readonly Bar[] = [
  { figure: 'point proof, 100k rows', atMost: 1024 },
  { figure: 'point proof, 1M rows', atMost: 1229 },
  { figure: 'proof of 100 rows, over the rows', atMost: 2048 },
  { figure: 'state tree: build', atLeast: 500_000 },
  { figure: 'point SELECT, prepared', atLeast: 3 },
  { figure: 'scan', atLeast: 1 },
  { figure: 'join', atLeast: 1 },
  { figure: 'aggregate', atLeast: 1 },
  { figure: 'bulk INSERT', atLeast: 50_000 },
  { figure: 'bulk INSERT against sql.js', atLeast: 0.1 },
  { figure: 'single INSERT, fsync', atLeast: 1_500 },
  { figure: 'single INSERT, no fsync', atLeast: 5_000 },
  { figure: 'open, first point query', atMost: 100 },
  { figure: 'open, first full scan', atMost: 1_500 },
  { figure: 'memory of a replica', atMost: 1024 },
  { figure: 'live query, table unchanged', atMost: 5 },
  { figure: 'catch up', atLeast: 10_000 },
  { figure: 'remove a member of 100', atMost: 500 },
  { figure: 'verified put', atLeast: 5 },
  { figure: 'verified get', atLeast: 20 },
  { figure: 'engine alone, 10k rows in an entry', atLeast: 60_000 },
]

export function judge(figures: readonly Figure[], bars: readonly Bar[] = BARS): readonly Judged[] {
  return figures.map((figure) => {
    const bar = bars.find((b) => b.figure === figure.name)
    if (bar === undefined) return { ...figure, bar: '', verdict: '' }
    const holds = (bar.atLeast === undefined || figure.value >= bar.atLeast) && (bar.atMost === undefined || figure.value <= bar.atMost)
    return { ...figure, bar: bar.atLeast !== undefined ? `≥${short(bar.atLeast)}` : `≤${short(bar.atMost ?? 0)}`, verdict: holds ? 'pass' : 'miss' }
  })
}

export function printFigures(judged: readonly Judged[]): void {
  printTable(['figure', 'value', 'unit', 'bar', 'verdict', 'note'], judged.map(({ name, value, unit, bar, verdict, note }) => [name, short(value), unit, bar, verdict, note ?? '']))
}
