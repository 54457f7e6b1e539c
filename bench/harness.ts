/**
 * Runs suites with `benchmark` and keeps what it says: operations per second, spread and samples. That is wall time: on a machine that others use,
 * the mean tells how busy they were, and the quickest sample comes closest to what the operation costs.
 */
import Benchmark from 'benchmark'
import type { BenchSuite } from './crypto.js'

export interface Measured {
  readonly suite: string
  readonly name: string
  /** Mean of the samples. */
  readonly opsPerSecond: number
  /** Seconds for one operation in the quickest sample. */
  readonly best: number
  /** Relative margin of error, percent. */
  readonly margin: number
  readonly samples: number
}

export interface MeasureOptions {
  /** Seconds for each case. */
  readonly seconds: number
  /** Called before each suite. */
  readonly onSuite?: (name: string) => void
}

export function measure(suites: readonly BenchSuite[], { seconds, onSuite }: MeasureOptions): readonly Measured[] {
  const measured: Measured[] = []
  for (const suite of suites) {
    onSuite?.(suite.name)
    for (const { name, run } of suite.cases) {
      let failure: unknown
      const bench = new Benchmark(`${suite.name}/${name}`, () => { run() }, { maxTime: seconds, minSamples: 3, onError: () => { failure = (bench as unknown as { error?: unknown }).error } })
      bench.run({ async: false })
      if (failure !== undefined) throw failure instanceof Error ? failure : new Error(String(failure))
      measured.push({ suite: suite.name, name, opsPerSecond: bench.hz, best: Math.min(...bench.stats.sample), margin: bench.stats.rme, samples: bench.stats.sample.length })
    }
  }
  return measured
}
