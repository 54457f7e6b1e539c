/** What a piece of work took: by the wall, and of this process's CPU (which a busy neighbour lengthens less). Milliseconds. */

export interface Took {
  readonly wall: number
  readonly cpu: number
}

export async function took(work: () => Promise<unknown> | unknown): Promise<Took> {
  const before = process.cpuUsage()
  const start = performance.now()
  await work()
  const wall = performance.now() - start
  const { user, system } = process.cpuUsage(before)
  return { wall, cpu: (user + system) / 1e3 }
}

/** The quickest of several runs, in each of the two. */
export async function quickest(times: number, work: (turn: number) => Promise<unknown> | unknown): Promise<Took> {
  let best: Took = { wall: Infinity, cpu: Infinity }
  for (let turn = 0; turn < times; turn++) {
    const { wall, cpu } = await took(() => work(turn))
    best = { wall: Math.min(best.wall, wall), cpu: Math.min(best.cpu, cpu) }
  }
  return best
}

/** Two that are compared take turns, so that both meet the same machine. */
export async function sideBySide(times: number, ours: (turn: number) => Promise<unknown> | unknown, theirs: (turn: number) => Promise<unknown> | unknown): Promise<{ readonly ours: Took; readonly theirs: Took }> {
  let [a, b]: [Took, Took] = [{ wall: Infinity, cpu: Infinity }, { wall: Infinity, cpu: Infinity }]
  const less = (best: Took, now: Took): Took => ({ wall: Math.min(best.wall, now.wall), cpu: Math.min(best.cpu, now.cpu) })
  for (let turn = 0; turn < times; turn++) {
    a = less(a, await took(() => ours(turn)))
    b = less(b, await took(() => theirs(turn)))
  }
  return { ours: a, theirs: b }
}
