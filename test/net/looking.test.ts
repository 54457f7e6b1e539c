/** Signatures of a group are looked at together, but for those of who has sent a bad one; ahead of their turn where somebody else does it, and then not too far. */
import { describe, expect, it } from 'vitest'
import { type Looked, Looking, type Sent } from '../../net/relay/looking.js'
import type { Aside } from '../../net/relay/ledger.js'

interface Looker { readonly it: Looking; readonly looks: number[][]; finish(): Promise<void> }

/** Looks by noting what is looked at; what comes of a record is the record. `ahead`: not before `finish`. */
function looking(ahead = false): Looker {
  const looks: number[][] = []
  const under: (() => void)[] = []
  const it = new Looking(async (records) => {
    looks.push(records.map(([first]) => first as number))
    if (ahead) await new Promise<void>((resolve) => under.push(resolve))
    return records as readonly unknown[] as readonly Aside[]
  }, () => ahead)
  return { looks, it, finish: async () => {
    under.shift()?.()
    await new Promise((resolve) => setImmediate(resolve))
  } }
}

const sent = (sender: string, byte: number): Sent => ({ sender, record: Uint8Array.of(byte) })
const group = [sent('a', 1), sent('b', 2), sent('a', 3), sent('c', 4), sent('b', 5)]

function came(looks: Looking, { record, sender }: Sent): Looked {
  const looked: Looked = { record, sender, look: 'waiting', aside: undefined }
  looks.came(looked)
  return looked
}

async function judged(looks: Looking, come: readonly Looked[]): Promise<readonly (Aside | undefined)[]> {
  const asides: (Aside | undefined)[] = []
  for (const one of come) {
    await looks.before(one)
    asides.push(one.aside)
  }
  return asides
}

describe('looking at a group', () => {
  it('all together, when the first is to be judged, and each gets what came of its own', async () => {
    const { it: looks, looks: seen } = looking()
    const come = group.map((one) => came(looks, one))
    looks.ahead()
    expect(seen).toEqual([])
    expect(await judged(looks, come)).toEqual(group.map(({ record }) => record))
    expect(seen).toEqual([[1, 2, 3, 4, 5]])
  })

  it('whoever has sent a bad one apart from then on, each by itself', async () => {
    const { it: looks, looks: seen } = looking()
    looks.sentBad('b')
    looks.sentBad('c')
    expect(await judged(looks, group.map((one) => came(looks, one)))).toEqual(group.map(({ record }) => record))
    expect(seen).toEqual([[1, 3], [2, 5], [4]])
  })

  it('not at a lone one', async () => {
    const { it: looks, looks: seen } = looking()
    expect(await judged(looks, [came(looks, sent('a', 1))])).toEqual([undefined])
    expect(seen).toEqual([])
  })

  it('by no more than 128, or 4 MiB, at once', async () => {
    const { it: looks, looks: seen } = looking()
    const come = Array.from({ length: 200 }, (_, i) => came(looks, sent('a', i)))
    expect(await judged(looks, come)).toHaveLength(200)
    expect(seen.map(({ length }) => length)).toEqual([128, 72])
    const long = Array.from({ length: 5 }, () => came(looks, { sender: 'a', record: new Uint8Array(3 * 1024 * 1024) }))
    expect((await judged(looks, long)).every((aside) => aside === undefined)).toBe(true) // each alone
    expect(seen).toHaveLength(2)
  })

  it('fails for whoever waits for it, and for nobody else', async () => {
    const looks = new Looking(() => Promise.reject(new Error('looked away')))
    const [first, second] = [came(looks, sent('a', 1)), came(looks, sent('a', 2))]
    await expect(looks.before(second)).rejects.toThrow('looked away')
    await expect(looks.before(first)).rejects.toThrow('looked away')
    const unasked = looking(true)
    for (let i = 0; i < 20; i++) came(unasked.it, sent('a', i))
    unasked.it.ahead()
    await unasked.finish() // an unhandled rejection would end this process
  })
})

describe('looking ahead', () => {
  const come = (looks: Looking, count: number): Looked[] => {
    const all = Array.from({ length: count }, (_, i) => came(looks, sent('a', i)))
    looks.ahead()
    return all
  }

  it('begins with what has come in, two batches at most, then with what came meanwhile', async () => {
    const { it: looks, looks: seen, finish } = looking(true)
    const first = come(looks, 20)
    const second = come(looks, 30)
    const third = come(looks, 40)
    come(looks, 100)
    expect(seen.map(({ length }) => length)).toEqual([20, 30])
    await finish()
    expect(seen.map(({ length }) => length)).toEqual([20, 30, 128])
    expect(first.map(({ look }) => look)).toEqual(first.map(() => 'done'))
    expect([second[0]?.look, third[0]?.look]).toEqual([expect.any(Promise), expect.any(Promise)])
    await finish()
    await finish()
    expect(seen.map(({ length }) => length)).toEqual([20, 30, 128]) // twelve are too few to begin with
    expect(third.map(({ look }) => look)).toEqual(third.map(() => 'done'))
  })

  it('does not wait for its turn when one is to be judged now', async () => {
    const { it: looks, looks: seen, finish } = looking(true)
    come(looks, 16)
    come(looks, 16)
    const late = come(looks, 2)
    const waits = looks.before(late[1] as Looked)
    expect(seen.map(({ length }) => length)).toEqual([16, 16, 2])
    for (let i = 0; i < 3; i++) await finish()
    await waits
    expect(late.map(({ aside }) => aside)).toEqual(late.map(({ record }) => record))
  })

  it('begins whole batches only while enough has been looked at that is not judged yet', async () => {
    const { it: looks, looks: seen, finish } = looking(true)
    const first = come(looks, 70)
    await finish()
    come(looks, 100)
    expect(seen).toHaveLength(1)
    for (const one of first.slice(0, 6)) expect(looks.before(one)).toBeUndefined()
    expect(seen).toHaveLength(1)
    expect(looks.before(first[6] as Looked)).toBeUndefined() // 63 are left
    expect(seen.map(({ length }) => length)).toEqual([70, 100])
    come(looks, 127)
    expect(seen).toHaveLength(2)
    come(looks, 1)
    expect(seen.map(({ length }) => length)).toEqual([70, 100, 128])
  })

  it('drops what nobody will judge', async () => {
    const { it: looks, looks: seen, finish } = looking(true)
    come(looks, 16)
    come(looks, 16)
    come(looks, 50)
    looks.drop()
    await finish()
    await finish()
    expect(seen).toHaveLength(2)
  })
})
