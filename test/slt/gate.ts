/** The gate: what the counts of a whole set must be. */
import { expect, test } from 'vitest'
import type { SltAdapter } from './open.js'
import { filesOf, runSlt, sltIsHere, type SltResult, type SltSet } from './sets.js'

/** Of a whole set, as it lies in ../shared: queries with rows, and databases. What an engine can't pass by answering nothing. */
const WHOLE: Readonly<Record<SltSet, { readonly files: number; readonly queries: number; readonly databases: number }>> = {
  core: { files: 20, queries: 2_050, databases: 20 },
  more: { files: 41, queries: 14_146, databases: 41 },
  turso: { files: 66, queries: 1_468, databases: 1_798 },
  'sqlite-tcl': { files: 211, queries: 6_005, databases: 211 },
}

/** A test of a whole set; skipped, visibly, where it is not. */
export function testSet(set: SltSet, adapter: SltAdapter): void {
  test.skipIf(!sltIsHere)(`sqllogictest ${set}: every query right, every database clean`, { timeout: 1_200_000 }, async () => {
    const results: SltResult[] = []
    for (const file of filesOf(set)) results.push(await runSlt(file, adapter))
    const sum = (count: (result: SltResult) => number): number => results.reduce((total, result) => total + count(result), 0)
    const failures = results.flatMap(({ file, openError, failures: each }) => [...(openError === undefined ? [] : [{ file, openError }]), ...each.map((failure) => ({ file, ...failure }))])
    expect(failures).toEqual([])
    expect(sum(({ failed, notrun, skipped }) => failed + notrun + skipped)).toBe(0)
    const { files, queries, databases } = WHOLE[set]
    expect({ files: results.length, queries: sum((r) => r.nonEmptyPassed), databases: sum((r) => r.groupsPassed) }).toEqual({ files, queries, databases })
    console.info(`sqllogictest ${set}: ${sum((r) => r.passed)} records, queries with rows ${queries} / ${sum((r) => r.nonEmpty)} right, databases ${databases} / ${sum((r) => r.groups)} clean`)
  })
}
