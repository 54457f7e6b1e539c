/** What somebody who mistyped a word may have meant. */

/** A sentence to end an error with, or nothing. */
export function meant(word: string, words: readonly string[]): string {
  const found = nearest(word, words)
  return found === undefined ? '' : ` Did you mean ${found}?`
}

/** The word of `words` that fewest edits lead to, if one or two do; letters swapped are one edit. */
function nearest(word: string, words: readonly string[]): string | undefined {
  const most = word.length < 4 ? 1 : 2
  const [best] = words.map((each) => ({ each, edits: editsBetween(word, each) })).sort((a, b) => a.edits - b.edits)
  return best && best.edits <= most ? best.each : undefined
}

/** Damerau and Levenshtein's distance, of adjacent swaps. */
function editsBetween(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const at = (di: number, dj: number): number => (di === 0 ? row : (rows[i - di] as number[]))[j - dj] as number
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      row.push(Math.min(at(1, 0) + 1, at(0, 1) + 1, at(1, 1) + (a[i - 1] === b[j - 1] ? 0 : 1), swapped ? at(2, 2) + 1 : Infinity))
    }
    rows.push(row)
  }
  return (rows[a.length] as number[])[b.length] as number
}
