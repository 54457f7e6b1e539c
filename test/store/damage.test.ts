/**
 * Damage to the files: a torn or zero-filled tail at every byte of the last write, and every byte of every file changed. The store
 * shows what was committed, or that without its torn last write, or refuses naming the file and a place in it. Nothing else, ever.
 */
import { describe, expect, it } from 'vitest'
import { SealError } from '../../engine/errors.js'
import { fileStoreIn } from '../../engine/store/file/file.js'
import { bytes, contents, record } from './conformance.js'
import { SimulatedDisk } from './disk.js'

const OPTIONS = { segmentLength: 600 }
const KEY = new Uint8Array(32).fill(5)

type Files = ReadonlyMap<string, Buffer>

interface Sample {
  readonly files: Files
  /** With the last commit and without. */
  readonly whole: unknown
  readonly before: unknown
  readonly active: string
  /** Where the last commit's write begins and ends in the active file. */
  readonly from: number
  readonly to: number
}

/** A store with a packed file, a closed one, an active one and a snapshot. Either closed, or left as a crash leaves it. */
async function sample({ closed, covered = false }: { readonly closed: boolean; readonly covered?: boolean }): Promise<Sample> {
  const disk = new SimulatedDisk()
  const store = await fileStoreIn(disk, { ...OPTIONS, key: KEY, ...(covered ? { readAtOpening: 0 } : {}) }).open()
  await store.commit({ at: 0, append: [record(0, 40), record(1, 40)], put: [['head', bytes('2')], ['secret/a', bytes('alpha')]] })
  await store.compact()
  await store.commit({ at: 2, append: [record(2, 700)], put: [['head', bytes('3')]] })
  await store.writeSnapshot(bytes('three'), [record(5, 30), record(6, 30)])
  await store.commit({ at: 3, append: [record(3, 40)], put: [['head', bytes('4')], ['note', bytes('n')]] })
  await store.commit({ at: 4, append: [record(4, 40)], put: [['head', bytes('5')]] })
  const before = await contents(store)
  const active = [...disk.files().keys()].filter((name) => name.startsWith('segment')).sort((a, b) => Number(a.slice(8)) - Number(b.slice(8))).at(-1) ?? ''
  const from = disk.files().get(active)?.length ?? 0
  await store.commit({ at: 5, append: [record(5, 40), record(6, 40)], put: [['head', bytes('7')], ['note', null], ['secret/a', bytes('beta')]] })
  const whole = await contents(store)
  const to = disk.files().get(active)?.length ?? 0
  if (closed) await store.close()
  expect([...disk.files().keys()].length).toBe(covered ? 6 : 5)
  return { files: disk.files(), whole, before, active, from, to }
}

const open = (files: Files) => fileStoreIn(new SimulatedDisk(files), { ...OPTIONS, key: KEY }).open()

/** The contents, or the error. */
async function outcome(files: Files): Promise<{ readonly contents?: unknown; readonly error?: SealError; readonly torn?: boolean }> {
  try {
    const store = await open(files)
    const found = { contents: await contents(store), torn: store.torn !== undefined }
    await store.close()
    return found
  } catch (error) {
    if (error instanceof SealError) return { error }
    throw error
  }
}

function changed(files: Files, name: string, change: (bytes: Buffer) => Buffer): Files {
  return new Map([...files].map(([key, content]) => [key, key === name ? change(Buffer.from(content)) : content]))
}

/** What becomes of each file with a byte changed, from one on, every so many; if it is refused, for that file and a place at most a frame before it. */
async function* changedBytes(files: Files, first: number, step: number): AsyncGenerator<{ readonly name: string; readonly at: number; readonly where: string; readonly contents?: unknown; readonly error?: SealError }> {
  for (const [name, content] of files) {
    for (let at = first; at < content.length; at += step) {
      const mask = at % 3 === 0 ? 0xff : 1 << at % 8
      const found = await outcome(changed(files, name, (bytes) => {
        bytes[at] = (bytes[at] as number) ^ mask
        return bytes
      }))
      const where = `${name} at ${at}`
      if (found.error) {
        expect(found.error, where).toMatchObject({ code: 'store-corrupt', facts: { file: name, offset: expect.any(Number) } })
        const offset = found.error.facts['offset'] as number
        expect(offset <= at + 9 && at - offset < 720, `${where}, said ${offset}`).toBe(true)
      }
      yield { name, at, where, ...found }
    }
  }
}

describe('damage to the file store', () => {
  it('opens undamaged', async () => {
    for (const closed of [true, false]) {
      const { files, whole } = await sample({ closed })
      expect(await outcome(files)).toEqual({ contents: whole, torn: false })
    }
  })

  it('cuts off a last write torn at any byte', async () => {
    const { files, whole, before, active, from, to } = await sample({ closed: false })
    for (let length = from; length < to; length++) {
      const cut = changed(files, active, (content) => content.subarray(0, length))
      // A whole group frame alone is no tear: nothing of a batch is there.
      expect((await outcome(cut)).contents, `cut at ${length}`).toEqual(before)
      const zeroed = changed(files, active, (content) => content.fill(0, length))
      expect(await outcome(zeroed), `zeros from ${length}`).toEqual({ contents: content_(length), torn: true })
    }
    function content_(length: number): unknown {
      // the last bytes may have been zero anyway
      return files.get(active)?.subarray(length).every((byte) => byte === 0) ? whole : before
    }
  })

  it('cuts off zeros and garbage after the last write', async () => {
    const { files, whole, active, to } = await sample({ closed: false })
    for (const tail of [Buffer.alloc(1), Buffer.alloc(5000), Buffer.alloc(100, 0xff), Buffer.from(record(3, 3000))]) {
      expect(await outcome(changed(files, active, (content) => Buffer.concat([content, tail])))).toEqual({ contents: whole, torn: true })
    }
    const disk = new SimulatedDisk(changed(files, active, (content) => Buffer.concat([content, Buffer.alloc(64)])))
    const store = await fileStoreIn(disk, { ...OPTIONS, key: KEY }).open()
    expect(disk.files().get(active)?.length).toBe(to)
    expect(store.torn).toEqual({ file: active, offset: to, length: 64, problem: expect.any(String) })
    await store.close()
  })

  it('refuses what is missing before the last write', async () => {
    const { files, active, from } = await sample({ closed: false })
    const earlier = changed(files, active, (content) => content.subarray(0, 60))
    expect((await outcome(earlier)).error).toMatchObject({ code: 'store-corrupt', facts: { file: active } })
    const zeroed = changed(files, active, (content) => content.fill(0, from - 60, from - 20))
    expect((await outcome(zeroed)).error).toMatchObject({ code: 'store-corrupt', facts: { file: active } })
  })

  it('refuses frames in another order', async () => {
    const { files } = await sample({ closed: true })
    const frameOf = (content: Buffer | undefined, i: number): number => content?.indexOf(Buffer.concat([Buffer.from([0, 0, 0, 40, 0x82]), record(i, 40)])) ?? -1
    const packed = [...files.keys()].find((name) => [0, 1].every((i) => frameOf(files.get(name), i) > 0)) as string
    const swapped = changed(files, packed, (content) => {
      const [a, b] = [frameOf(content, 0), frameOf(content, 1)]
      const frame = Buffer.from(content.subarray(a, b)) // both are as long
      content.copyWithin(a, b, b + frame.length)
      frame.copy(content, b)
      return content
    })
    expect((await outcome(swapped)).error).toMatchObject({ code: 'store-corrupt', facts: { file: packed, problem: 'a wrong checksum' } })
  })

  it('refuses a missing file', async () => {
    const { files, whole } = await sample({ closed: true })
    for (const name of files.keys()) {
      const rest = new Map([...files].filter(([key]) => key !== name))
      const { error, contents } = await outcome(rest)
      if (name === 'snapshot') expect(contents).toEqual({ ...(whole as object), snapshot: undefined })
      else expect(error).toMatchObject({ code: 'store-corrupt', facts: { file: name } })
    }
  })

  it('refuses a file in another\'s place', async () => {
    const { files, active } = await sample({ closed: true })
    const other = await sample({ closed: true })
    for (const name of files.keys()) {
      const swapped = changed(files, name, () => other.files.get(name) as Buffer)
      expect((await outcome(swapped)).error, name).toMatchObject({ code: 'store-corrupt' })
    }
    const packed = [...files.keys()].find((name) => name.startsWith('segment') && name !== active) as string
    expect((await outcome(changed(files, packed, () => files.get(active) as Buffer))).error).toMatchObject({ code: 'store-corrupt', facts: { file: packed, offset: 0 } })
  })

  for (const closed of [true, false]) {
    it(`is never silently wrong, whichever byte is changed, ${closed ? 'closed' : 'not closed'}`, async () => {
      const { files, whole, before, active, from, to } = await sample({ closed })
      for await (const { name, at, where, contents, error } of changedBytes(files, 0, 1)) {
        if (error) expect(name === active && at >= to, where).toBe(false) // the mark of closing is a tail like another
        else if (name === active && at >= (closed ? to : from)) expect(contents, where).toEqual(closed ? whole : before)
        else expect.fail(`${where}: not noticed`)
      }
    })
  }

  for (const closed of [true, false]) {
    it(`is never silently wrong where it does not read all when it opens, ${closed ? 'closed' : 'not closed'}`, async () => {
      const { files, whole, before, active, from, to } = await sample({ closed, covered: true })
      const missed = { places: 0, others: 0 }
      for await (const { name, at, where, contents, error } of changedBytes(files, closed ? 0 : 1, closed ? 1 : 3)) {
        if (error) continue
        if (!closed && name === active && at >= from && at < to) {
          expect(contents, where).toEqual(before)
        } else {
          // What nobody reads: values replaced since, marks between writes, and the file of places itself.
          expect(contents, where).toEqual(whole)
          missed[name === 'places' ? 'places' : 'others']++
        }
      }
      if (closed) expect(missed.places).toBe(files.get('places')?.length)
      expect(missed.others).toBeLessThan(700)
    })
  }

  it('reads what is behind the places it knows, and everything if they are missing or of another store', async () => {
    const { files, whole } = await sample({ closed: true, covered: true })
    expect(await outcome(new Map([...files].filter(([name]) => name !== 'places')))).toEqual({ contents: whole, torn: false })
    const other = await sample({ closed: true, covered: true })
    expect(await outcome(changed(files, 'places', () => other.files.get('places') as Buffer))).toEqual({ contents: whole, torn: false })
    // Older places, newer files: a roll, a record dropped and a compaction later.
    const disk = new SimulatedDisk(files)
    for (const step of ['commit', 'roll', 'compact'] as const) {
      const store = await fileStoreIn(disk, { ...OPTIONS, key: KEY, readAtOpening: 1 << 20 }).open()
      if (step === 'commit') await store.commit({ at: 7, keep: [0, 6], append: [record(16, 40)], put: [['head', bytes('7b')], ['secret/a', null]] })
      if (step === 'roll') for (let i = 0; i < 3; i++) await store.commit({ at: 7 + i, append: [record(7 + i, 700)], put: [['new', bytes(String(i))]] })
      if (step === 'compact') await store.compact()
      const shown = await contents(store)
      await store.close()
      const left = disk.files()
      expect(await outcome(left), step).toEqual({ contents: shown, torn: false })
      expect(await outcome(new Map([...left].filter(([name]) => name !== 'places'))), step).toEqual({ contents: shown, torn: false })
    }
  })

  it('names the place of a damaged record when it reads it, not when it opens', async () => {
    const { files } = await sample({ closed: true, covered: true })
    const name = [...files.keys()].find((key) => files.get(key)?.includes(Buffer.from(record(2, 700))) === true) as string
    const at = files.get(name)?.indexOf(record(2, 700)) ?? 0
    const store = await open(changed(files, name, (content) => {
      content[at + 500] = (content[at + 500] as number) ^ 1
      return content
    }))
    expect(await store.read(0, 2)).toEqual([record(0, 40), record(1, 40)])
    await expect(store.read(0, 3)).rejects.toMatchObject({ code: 'store-corrupt', facts: { file: name, offset: at - 5 } })
    await expect(store.compact()).rejects.toMatchObject({ code: 'store-corrupt' }) // not carried over under a fresh checksum
    await store.close()
  })

  it('finds damage that happens while it is open, when it reads', async () => {
    const disk = new SimulatedDisk()
    const store = await fileStoreIn(disk, OPTIONS).open()
    for (let i = 0; i < 5; i++) await store.commit({ at: i, append: [record(i, 40)] })
    const file = await disk.open('segment-1', 'update')
    const at = disk.files().get('segment-1')?.indexOf(record(2, 40)) ?? 0
    await file.write(Uint8Array.of(99), at + 7)
    expect(await store.read(0, 2)).toEqual([record(0, 40), record(1, 40)])
    await expect(store.read(0, 5)).rejects.toMatchObject({ code: 'store-corrupt', facts: { file: 'segment-1', offset: at - 5 } })
    await expect(store.compact()).rejects.toMatchObject({ code: 'store-corrupt' }) // not carried over under a fresh checksum
    expect(await store.read(3, 5)).toEqual([record(3, 40), record(4, 40)])
    await store.close()
  })
})
